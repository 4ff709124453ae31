/** The project's TypeScript files and what each imports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Import {
  /** Path from the project's root, or a package's name. */
  readonly to: string;
  /** `import type`: nothing is loaded. */
  readonly typeOnly: boolean;
}
export interface Source {
  /** From the project's root, with `/`. */
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

function importsOf(file: string, text: string): Import[] {
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  return statements.flatMap((statement): Import[] => {
    const isImport = ts.isImportDeclaration(statement);
    if (!isImport && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return [];
    const { text: name } = moduleSpecifier;
    const to = name.startsWith('.') ? normalize(join(dirname(file), name)).replaceAll('\\', '/') : name;
    const typeOnly = isImport
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    return [{ to, typeOnly }];
  });
}

/** Every .ts file but generated ones. */
export const sources: readonly Source[] = ['compiler', 'passes', 'codegen', 'runtime', 'fixtures', 'test'].flatMap(
  (folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
      .filter((file) => file.endsWith('.ts') && !file.includes('/expected/'))
      .map((file) => {
        const text = readFileSync(join(root, file), 'utf8');
        return { file, text, imports: importsOf(file, text) };
      }),
);
