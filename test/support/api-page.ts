// SPDX-License-Identifier: Apache-2.0
// The page docs/api.md as data: its sections, and the options and objects that its types describe.
import { readFileSync } from 'node:fs'

/** The sections of the API page by name. */
export const sections = new Map(
  readFileSync('docs/api.md', 'utf8')
    .split('\n### ')
    .slice(1)
    .map((text): [string, string] => [text.slice(0, text.indexOf('\n')), text]),
)

/** Returns the rows of members of a section, without their descriptions. */
export function rowsOf(section: string): string[] {
  return [...section.matchAll(/^\| `(.*?)` \| /gm)].map(([, row]) => row!.replaceAll('\\|', '|'))
}

/** Returns true for a type whose members are all optional: an object with options. */
export function isOptions(type: string): boolean {
  const section = sections.get(type) ?? ''
  const rows = rowsOf(section).filter((row) => !row.startsWith('['))
  return section.includes(`interface ${type}`) && rows.every((row) => /^\w+\?:/.test(row))
}

/** Returns the code of a section, such as `type Limit = number | 'max'`, without comments. */
function codeOf(section: string): string {
  const [, code = ''] = /```typescript\n([\s\S]*?)```/.exec(section) ?? []
  return code.replace(/\/\*[\s\S]*?\*\//g, '')
}

/** Returns the keys of the objects in a type, also of the types that it names. Functions have none, nor objects with any key. */
function keysInside(type: string): string[] {
  if (type.includes('=>')) return []
  const literal = [...type.matchAll(/\{([^{}]*)\}/g)].flatMap(([, body = '']) => {
    const [, kinds] = /\[\w+ in (\w+)\]/.exec(body) ?? []
    if (kinds !== undefined) return [...codeOf(sections.get(kinds)!).matchAll(/'([^']+)'/g)].map(([, key]) => key!)
    return [...body.matchAll(/(?:^|;)\s*(\w+)\??:/g)].map(([, key]) => key!)
  })
  const named = [...type.replace(/\{[^{}]*\}/g, '').matchAll(/\b[A-Z]\w+/g)].flatMap(([name]) => {
    const section = sections.get(name)
    if (section === undefined) return []
    if (!section.includes(`interface ${name}`)) return keysInside(codeOf(section).replace(/^.*?=/s, ''))
    return rowsOf(section).flatMap((row) => /^(\w+)\??:/.exec(row)?.[1] ?? [])
  })
  return [...literal, ...named]
}

/** Returns the options of the API page that contain objects with fixed keys, and these keys. */
export function innerKeys(): Map<string, string[]> {
  const rows = [...sections.keys()].filter(isOptions).flatMap((type) => rowsOf(sections.get(type)!))
  const found = rows.flatMap((row): [string, string[]][] => {
    const [, option, type] = /^(\w+)\?: (.*)$/.exec(row) ?? []
    const keys = type === undefined ? [] : keysInside(type)
    return keys.length === 0 ? [] : [[option!, keys]]
  })
  return new Map(found)
}
