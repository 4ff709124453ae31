/** YAML and JSON. Loaded when there is a file to read. */
export { parse as parseYaml } from 'yaml';
