// SPDX-License-Identifier: Apache-2.0
// docs/coming-from.md against execa's types: each option, field and method is shared, answered with hutch's word, or in the table of differences.
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { libraryRows } from '../../src/options/library.ts'
import { foreignWords } from '../../src/options/others/library.ts'
import { runOptionKeys } from '../../src/options/table.ts'

const types = 'node_modules/execa/types'
const section = readFileSync('docs/coming-from.md', 'utf8').split('\n## From execa\n')[1]!.split('\n## ')[0]!
/** Words of the first column of the table, and the options that the text calls the same. */
const listed = new Set([...section.matchAll(/`(?:result\.|job\.)?([$\w]+)[^`]*`/g)].map(([, word]) => word!))

/** Members of the types in a file of execa: `name:`, `name?:`, `name(` and `name<`. */
const membersOf = (file: string) =>
  [...readFileSync(`${types}/${file}`, 'utf8').matchAll(/^\t(?:readonly )?(\w+)\??[:(<]/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== 'setTimeout')
/** Members of one of hutch's types, from the generated page. */
const ownMembers = (...symbols: string[]) => {
  const page = readFileSync('docs/api.md', 'utf8')
  return symbols.flatMap((symbol) => {
    const rows = page.split(`\n### ${symbol}\n`)[1]!.split('\n### ')[0]!
    return [...rows.matchAll(/^\| `(?:get )?(\w+)/gm)].map(([, name]) => name!)
  })
}

const kinds: { [kind: string]: [names: () => string[], shared: () => string[]] } = {
  options: [
    () => membersOf('arguments/options.d.ts'),
    () => [
      ...runOptionKeys,
      ...libraryRows.map(({ key }) => key),
      ...membersOf('arguments/options.d.ts').filter((name) => name.toLowerCase() in foreignWords),
    ],
  ],
  'fields of the result': [() => membersOf('return/result.d.ts'), () => ownMembers('Result')],
  'members of a subprocess': [
    () => [...membersOf('subprocess/subprocess.d.ts'), 'sendMessage', 'getOneMessage', 'getEachMessage', 'pipe'],
    () => ownMembers('Job'),
  ],
}

test.for(Object.entries(kinds))(
  'each of the %s of execa is shared, translated or listed',
  ([, [names, shared]], context) => {
    if (!existsSync(types)) return context.skip('execa is not installed: npm install')
    const found = names()
    expect(found.length).toBeGreaterThan(8)
    const own = new Set(shared())
    expect(found.filter((name) => !own.has(name) && !listed.has(name))).toEqual([])
  },
)
