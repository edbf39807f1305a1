/**
 * A module of the built plugin, for programs that Node runs as they are: their syntax is
 * older than that of the source on some supported versions. Needs `npm run build` first.
 *
 * @param module its path in `src`, without `.ts`
 */
export async function built<Module>(module: string): Promise<Module> {
  return (await import(new URL(`../../dist/${module}.js`, import.meta.url).href)) as Module;
}
