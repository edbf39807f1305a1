/**
 * The program of a thread, which lies beside the module that starts it, as source or built.
 *
 * @param name its file, without the ending
 * @param importer `import.meta.url` of that module
 */
export function programBeside(name: string, importer: string): URL {
  return new URL(`./${name}${importer.endsWith(".ts") ? ".ts" : ".js"}`, importer);
}
