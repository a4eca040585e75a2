// SPDX-License-Identifier: Apache-2.0
// Finds the error codes that a function can throw: all `fail('CODE', …)` in the functions that it reaches. Used by api.test.ts.
// Follows names and imports without types, and ignores `catch`. It can therefore find too many codes, and none behind an
// object's method.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { posix } from 'node:path'

const require = createRequire(import.meta.url)
// TypeScript 7 has no parser for programs; API Extractor brings one
const ts = createRequire(require.resolve('@microsoft/api-extractor/package.json'))('typescript')

interface Unit {
  /** Names that the unit's code refers to; a member of a class as `Class.member`. */
  names: Set<string>
  codes: Set<string>
}
interface Module {
  /** Functions, constants and members of classes, by name. */
  units: Map<string, Unit>
  /** Imported and re-exported names: the file and the name there. */
  imports: Map<string, [file: string, name: string]>
}

// biome-ignore lint/suspicious/noExplicitAny: a node of the parser, whose types are not installed
type Node = any

const modules = new Map<string, Module>()
for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' }))
  if (/\.ts$/.test(name) && !name.includes('page/')) modules.set(`src/${name}`, readModule(`src/${name}`))

function readModule(path: string): Module {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const module: Module = { units: new Map(), imports: new Map() }
  for (const statement of file.statements) {
    if (statement.moduleSpecifier?.text.startsWith('.')) {
      const target = posix.join(posix.dirname(path), statement.moduleSpecifier.text)
      const bindings = statement.importClause?.namedBindings ?? statement.exportClause
      for (const { name, propertyName } of bindings?.elements ?? [])
        module.imports.set(name.text, [target, (propertyName ?? name).text])
    } else if (ts.isFunctionDeclaration(statement)) add(module, statement.name.text, statement)
    else if (ts.isVariableStatement(statement))
      for (const one of statement.declarationList.declarations) add(module, one.name.getText(), one)
    else if (ts.isClassDeclaration(statement)) {
      const { text } = statement.name
      for (const member of statement.members)
        add(module, `${text}.${member.name?.getText() ?? 'constructor'}`, member, text)
    }
  }
  return module
}

/** Adds the names and codes of a piece of code to a unit. Overloads share one. */
function add(module: Module, name: string, code: Node, className?: string): void {
  const unit = module.units.get(name) ?? { names: new Set(), codes: new Set() }
  module.units.set(name, unit)
  const visit = (node: Node): void => {
    if (ts.isTypeNode(node)) return
    if (ts.isCallExpression(node) && node.expression.getText() === 'fail')
      unit.codes.add(ts.isStringLiteral(node.arguments[0]) ? node.arguments[0].text : '?')
    if (ts.isNewExpression(node)) unit.names.add(`${node.expression.getText()}.constructor`)
    if (ts.isPropertyAccessExpression(node)) {
      const owner = node.expression.kind === ts.SyntaxKind.ThisKeyword ? className : node.expression.getText()
      unit.names.add(`${owner}.${node.name.text}`)
    }
    if (ts.isIdentifier(node)) unit.names.add(node.text)
    ts.forEachChild(node, visit)
  }
  visit(code)
}

function resolve(path: string, name: string): [string, string] | undefined {
  const module = modules.get(path)
  if (!module) return undefined
  if (module.units.has(name)) return [path, name]
  const [first = '', ...rest] = name.split('.')
  const imported = module.imports.get(first)
  return imported && resolve(imported[0], [imported[1], ...rest].join('.'))
}

/** Returns the codes that a function of a file can throw. A member of a class is named as `Class.member`. */
export function thrownCodes(path: string, name: string): string[] {
  const start = resolve(path, name)
  if (!start) throw new Error(`${path} has no ${name}`)
  const seen = new Set<string>()
  const codes = new Set<string>()
  const waiting = [start]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const key = next.join(':')
    if (seen.has(key)) continue
    seen.add(key)
    const unit = modules.get(next[0])!.units.get(next[1])!
    for (const code of unit.codes) codes.add(code)
    for (const one of unit.names) {
      const target = resolve(next[0], one)
      if (target) waiting.push(target)
    }
  }
  return [...codes].toSorted()
}
