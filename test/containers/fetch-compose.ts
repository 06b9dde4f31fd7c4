import { join } from 'node:path';
import { fetchFromDebianSuite } from '../../src/lab/debian-suite.ts';

/** Prints the path of Docker's plugin `compose`, fetched from Debian 13: Debian 12 has only its forerunner. */
const root = await fetchFromDebianSuite({
  ...{ as: 'docker-compose', suite: 'trixie', packages: ['docker-compose'] },
  // A static program, but for the C library that every machine has.
  skip: ['docker-cli', 'docker-buildx', 'docker.io', 'containerd', 'runc', 'libc6', 'libgcc', 'gcc-'],
});
process.stdout.write(join(root, 'usr/libexec/docker/cli-plugins/docker-compose'));
