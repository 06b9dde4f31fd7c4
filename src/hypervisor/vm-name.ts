/** The namespace of what a domain's `<metadata>` says to us: `<forewarm:vm xmlns:forewarm="urn:forewarm">app1</…>`. */
export const metadataNamespace = 'urn:forewarm';

const nameOfVm = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * The VM that a guest is: what the domain's metadata says, else the map of guests, else the guest's own name.
 * Undefined when that is no name of a VM.
 */
export async function vmNameOf(guest: {
  readonly name: string;
  /** The domain's XML; empty when it is not at hand. */
  readonly xml: string;
  readonly guests: Readonly<Record<string, string>>;
}): Promise<string | undefined> {
  const { name, xml, guests } = guest;
  const written = xml.includes(metadataNamespace) ? await vmInMetadata(xml) : undefined;
  const vm = written ?? (Object.hasOwn(guests, name) ? guests[name] : undefined) ?? name;
  return nameOfVm.test(vm) ? vm : undefined;
}

async function vmInMetadata(xml: string): Promise<string | undefined> {
  // Loaded only for the few domains that have something for us.
  const { DOMParser } = await import('@xmldom/xmldom');
  try {
    const document = new DOMParser({ onError: () => {} }).parseFromString(xml, 'text/xml');
    const domain = document.documentElement;
    const metadata = [...(domain?.childNodes ?? [])].find((node) => node.nodeName === 'metadata');
    const ours = [...(metadata?.childNodes ?? [])].find(
      (node) => node.namespaceURI === metadataNamespace && node.localName === 'vm',
    );
    return ours?.textContent?.trim() || undefined;
  } catch {
    return undefined;
  }
}
