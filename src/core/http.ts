/**
 * Node's `http`, as its CommonJS modules have it: an import reads every export, those too that load what `fetch` is made
 * of when they are read, 13 MB in each process. Types are imported from `node:http` as ever.
 */
export const http = process.getBuiltinModule('node:http');
