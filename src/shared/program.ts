/**
 * The program of a thread, as source or built.
 *
 * @param module its path in `src`, without the ending
 */
export function threadProgram(module: string): URL {
  // Both `src/shared` and the chunk of this module in `dist/chunks` lie one folder below the modules' own paths.
  const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`../${module}${ending}`, import.meta.url);
}
