import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { type DebianFetch, downloadInto, libraryFolders, unpackIntoCache } from './debian-packages.ts';
import { run } from './run.ts';

const debianKeys = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * The same as `fetchDebianPackages` for another suite than this machine's, such as `sid`, from the archives
 * that this machine's apt is set up with. Everything that the packages need is fetched, libc included: start
 * programs by `loaderCommand`.
 */
export async function fetchFromDebianSuite(fetch: DebianFetch & { suite: string }): Promise<string> {
  return unpackIntoCache(fetch.as, async (state) => {
    const archives = join(state, 'archives');
    const failures: unknown[] = [];
    for (const uri of await configuredArchives(state).catch((error: unknown) => {
      failures.push(error);
      return [];
    })) {
      try {
        const options = ['-q', '-c', await privateState(state, uri, fetch.suite)];
        await run('apt-get', ['update', ...options]);
        return await downloadInto(archives, options, fetch);
      } catch (error) {
        failures.push(error);
      }
    }
    throw new ForewarmError(
      'lab_unavailable',
      `could not fetch ${fetch.packages.join(', ')} of Debian ${fetch.suite} by apt-get`,
      {
        hint: `Set up apt with a Debian archive that has ${fetch.suite}, or install the server and set the path of its binary (FOREWARM_MYSQL_BIN).`,
        cause: new AggregateError(failures),
      },
    );
  });
}

/** What apt has in its sources, Debian's own archive first as far as the address tells. */
async function configuredArchives(state: string): Promise<string[]> {
  const lists = join(state, 'none');
  await mkdir(join(lists, 'partial'), { recursive: true });
  const options = ['-o', 'Debug::NoLocking=1', '-o', `Dir::State::lists=${lists}`];
  const printed = await run('apt-get', ['update', '--print-uris', ...options]);
  const uris = [...printed.matchAll(/^'(\S+?\/)dists\//gm)].flatMap((match) => match[1] ?? []);
  const isDebian = (uri: string) => (uri.endsWith('/debian/') ? 0 : 1);
  return [...new Set(uris)].sort((a, b) => isDebian(a) - isDebian(b));
}

/** A configuration of apt whose lists, status and archives are all below `state`; nothing counts as installed. */
async function privateState(state: string, uri: string, suite: string): Promise<string> {
  for (const folder of ['lists/partial', 'archives/partial'])
    await mkdir(join(state, folder), { recursive: true });
  const signed = (await exists(debianKeys)) ? ` signed-by=${debianKeys}` : '';
  await writeFile(join(state, 'sources.list'), `deb [target=Packages${signed}] ${uri} ${suite} main\n`);
  await writeFile(join(state, 'status'), '');
  const settings = {
    'Dir::State': state,
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': state,
    'Dir::Cache::archives': join(state, 'archives'),
    'Dir::Etc::SourceList': join(state, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
    'APT::Update::Error-Mode': 'any',
  };
  // The host's hooks, such as emptying its archives after an update, are not for this state.
  const hooks = ['Pre-Invoke', 'Post-Invoke', 'Post-Invoke-Success'];
  const file = join(state, 'apt.conf');
  await writeFile(
    file,
    [
      ...Object.entries(settings).map(([name, value]) => `${name} ${JSON.stringify(value)};\n`),
      ...hooks.map((hook) => `#clear APT::Update::${hook};\n`),
    ].join(''),
  );
  return file;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What starts a program of an unpacked suite on that suite's own loader and libraries. */
export async function loaderCommand(root: string, program: string): Promise<[string, ...string[]]> {
  const folders = await libraryFolders(root);
  for (const folder of folders) {
    const loader = (await readdir(folder)).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
    if (loader === undefined) continue;
    const path = join(root, program);
    const options = ['--library-path', folders.join(':'), '--argv0', basename(program)];
    return [join(folder, loader), ...options, path];
  }
  throw new ForewarmError('lab_unavailable', `no loader below ${root}`);
}
