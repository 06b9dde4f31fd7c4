export { createCommand } from './hook.ts';
