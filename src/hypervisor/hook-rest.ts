/** All that the hook loads only for a guest of ours, or where it cannot tell: what it imports when it is needed. */
export { DOMParser } from '@xmldom/xmldom';
export { isVmKnownByLibrary } from '../broker/vm-known-library.ts';
export { loadHookConfig } from '../config/load.ts';
export { announcing, sayLeft, sayUndone, warmForGuest } from './hook-announcements.ts';
