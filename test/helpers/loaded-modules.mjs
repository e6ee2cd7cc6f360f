// Preloaded into a process: writes down, as it ends, which of Node's modules and of the packages it has loaded.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { cache } = createRequire(import.meta.url);
process.once('exit', () => {
  const packages = Object.keys(cache).map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  const own = process.moduleLoadList.map((name) => name.replace(/^NativeModule /, 'node:'));
  writeFileSync(`${process.env.LOADED_MODULES}/${process.pid}`, [...new Set(packages), ...own].join('\n'));
});
