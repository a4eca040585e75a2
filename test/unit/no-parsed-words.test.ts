// SPDX-License-Identifier: Apache-2.0
// No code of hutch reads its own sentences back: what a program needs to know is a field.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const methods = 'match|matchAll|search|includes|startsWith|endsWith|indexOf|split|replace|replaceAll|slice'
const words = 'message|headline|remedy|verdict|evidence'
const reads = [
  // error.message.split(…), verdict.headline?.replace(…)
  new RegExp(`\\b(?:${words})!?(?:\\?)?\\.(?:${methods})\\(`),
  // /…/.exec(error.remedy)
  new RegExp(`\\.(?:test|exec)\\([\\w.?!\\[\\]]*\\b(?:${words})\\b`),
]

/** Texts of others, or no text at all: errors of Node, of QuickJS and of the YAML parser, and lists that have these names. */
const allowed = [
  'src/system/standalone/runtime.ts: if (/stack overflow|Maximum call stack/.test(message))',
  'src/system/native.ts: why: (error as Error).message.split',
  'src/kube/documents.ts: error.message.split',
  'src/monitor/recording/sqlite.ts: why: error.message.split',
  'src/compile/prepare.ts: message.replaceAll(groupPlaceholder',
]

test('no code matches on message, headline, evidence or remedy', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const found = files.flatMap((file) => {
    const lines = readFileSync(`src/${file}`, 'utf8').split('\n')
    return lines
      .filter((line) => reads.some((pattern) => pattern.test(line)))
      .map((line) => `src/${file}: ${line.trim()}`)
  })
  const isAllowed = (line: string) => {
    const [file, text] = line.split(': ', 1).concat(line)
    return allowed.some((entry) => entry.startsWith(`${file}: `) && text!.includes(entry.slice(file!.length + 2)))
  }
  expect(found.filter((line) => !isAllowed(line))).toEqual([])
})

test('the patterns find what they forbid', () => {
  for (const line of [
    "error.message.split('\\n')[0]",
    'verdict.headline.replace(/x/, y)',
    '/did you mean (.*)/.exec(error.remedy)?.[1]',
    "evidence.remedy?.includes('x')",
  ])
    expect([line, reads.some((pattern) => pattern.test(line))]).toEqual([line, true])
})
