// SPDX-License-Identifier: Apache-2.0
// Hostile files: hutch for Node and the binary without Node refuse each with the same words, which are hutch's own.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { binary, cli } from '../support/command.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-hostile-`)

beforeAll(() => {
  if (!existsSync(binary)) execFileSync('npm', ['run', 'build:standalone'], { stdio: 'inherit' })
}, 600_000)
afterAll(() => rmSync(directory, { recursive: true }))

const profile = (value: string) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":${value},"op":"SCMP_CMP_EQ"}]}]}`
const isJson = {
  'lists of depth 10,000': '['.repeat(10_000) + ']'.repeat(10_000),
  'objects of depth 10,000': `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
  'lists of depth 500,000': '['.repeat(500_000),
  'a string of 1 MB without an end': `{"a":"${'x'.repeat(1_000_000)}`,
  'escapes without an end': `"${'\\n'.repeat(500_000)}`,
  'a list of 500,000 numbers without an end': `[${'1,'.repeat(500_000)}`,
  'a number of 1 MB': '9'.repeat(1_000_000),
  'a NUL': '{"a":"\0"}',
  'a lone surrogate': '{"defaultAction":"\\ud800","hutch":"\\ud800","command":["\\ud800"]}',
  'bytes that are not UTF-8': Buffer.from('{"defaultAction":"\xff\xed\xa0\x80"}', 'latin1'),
  nothing: '',
}
const isConfig = {
  '10,000 open groups': 'group a { '.repeat(10_000),
  'a million braces': '{'.repeat(1_000_000),
  'a NUL': 'group a\0b { pids { } }',
  'a path of 1 MB': `group ${'a/'.repeat(500_000)} { pids { } }`,
  'a line of 1 MB of blanks': `group a${' '.repeat(1_000_000)}{ pids {`,
  'a quotation without an end': `group a { pids { pids.max = "${'\\"'.repeat(500_000)}`,
  '36,000 sections': `group a { ${'perm { task { uid = a; } }\n'.repeat(36_000)}`,
}
const isRules = {
  'a line of 1 MB': `*:${'a'.repeat(1_000_000)} pids x\n`,
  'a million empty lines': `${'\n'.repeat(1_000_000)}x`,
  'a NUL': 'a\0b pids x\n',
  '10,001 rules': 'root:a pids x/%u\n'.repeat(10_001),
  'a path of letters': `* pids ${'%u'.repeat(8000)}\n`,
}
const huge = { 'one of 100 MB': 104_857_600 }

const cases = (
  [
    [['run', '--seccomp', 'FILE', '--', 'true'], { ...isJson, '2^64': profile('18446744073709551616'), ...huge }],
    [['why', 'FILE'], { ...isJson, ...huge }],
    [['cgroup', 'apply', '--dry-run', 'FILE'], { ...isJson, ...huge }],
    [['cgconfigparser', '-l', 'FILE'], { ...isConfig, ...huge }],
    [['rules', 'test', '--file', 'FILE', 'root'], { ...isRules, ...huge }],
  ] as [string[], { [name: string]: string | Buffer | number }][]
).flatMap(([line, files]) =>
  Object.entries(files).map(([name, content]) => ({ command: line[0], line, name, content })),
)

test.each(cases)('$command refuses $name', { timeout: 60_000 }, async ({ line, content }) => {
  const file = `${directory}/file`
  writeFileSync(file, typeof content === 'number' ? '' : content)
  if (typeof content === 'number') truncateSync(file, content)
  const args = line.map((word) => (word === 'FILE' ? file : word))
  const ofBinary = await collect(binary, args)
  expect(await collect(process.execPath, [cli, ...args])).toEqual(ofBinary)
  expect(ofBinary).toMatchObject({ status: expect.toBeOneOf([125, 96, 104]), stdout: '' })
  expect(ofBinary.stderr).toMatch(/^(hutch|cgconfigparser): (cannot use|cannot read|invalid) [^\n]+\n {2}remedy: /)
  expect(ofBinary.stderr).not.toMatch(/call stack|JSON\.parse|position \d|Unexpected|Error|<anonymous>|internal/)
})
