// SPDX-License-Identifier: Apache-2.0
// Help, man pages and completion: every command has them, they run nothing, and all say the same options.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describeAll } from '../../src/cli/help/describe-all.ts'
import { hutch as family } from '../../src/cli/table.ts'
import { optionRows } from '../../src/options/table.ts'
import { hutchLine } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const commands = await describeAll(family)
const names = commands.flatMap(({ name, parts }) => [name, ...parts.map((part) => part.name)])

test.for([...new Set(names)])('hutch %s --help prints the help and runs nothing', async (name) => {
  const words = name.split(' ')
  const help = await hutch([...words, '--help'])
  expect(help).toMatchObject({ status: 0, stderr: '' })
  expect(help.stdout).toMatch(new RegExp(`^Usage: hutch ${name}`))
  expect(await hutch(['help', ...words])).toEqual(help)
})

test('the help lists each option once; the short help of run leaves out rare ones and says so', async () => {
  const [short, all] = await Promise.all([hutch(['run', '--help']), hutch(['run', '--help=all'])])
  const listed = [...all.stdout.matchAll(/^ {2,6}(?:-\w, )?--([a-z-]+)/gm)].map(([, name]) => name)
  expect(listed.sort()).toEqual(optionRows.map(({ flag }) => flag).sort())
  expect(short.stdout).toContain('--memory SIZE')
  expect(short.stdout).not.toContain('--scheduler')
  expect(short.stdout).toContain('hutch run --help=all')
  expect(short.stdout).toContain('hutch-run(1)')
})

test.for([['--version'], ['-V']])('hutch %s prints the version', async ([word]) => {
  expect((await hutch([word!])).stdout).toMatch(/^hutch \d+\.\d+\.\d+\n$/)
})

test('hutch version prints what runs hutch, too', async () => {
  expect((await hutch(['version'])).stdout).toMatch(/^hutch \d+\.\d+\.\d+ \((Node v\d+\.\d+\.\d+|without Node)\)\n$/)
})

test('there is a man page for each command, and for hutch', () => {
  const pages = readdirSync('dist/man/man1')
  expect(pages.sort()).toEqual(['hutch.1', ...commands.map(({ name }) => `hutch-${name}.1`)].sort())
  const run = readFileSync('dist/man/man1/hutch-run.1', 'utf8').replaceAll('\\-', '-')
  for (const { flag } of optionRows) expect(run).toContain(`--${flag}`)
})

test('man pages are accepted by mandoc', async (context) => {
  requires(context, 'mandoc')
  for (const page of readdirSync('dist/man/man1')) {
    const { stdout, stderr } = await collect('mandoc', ['-Tlint', '-W', 'warning', `dist/man/man1/${page}`])
    expect(`${stdout}${stderr}`.replace(/.*missing date.*\n/g, '')).toBe('')
  }
})

/** Words that a shell offers behind a command line. */
const offers: [shell: string, script: (line: string) => string][] = [
  [
    'bash',
    (line) =>
      `source <(${hutchLine} completion bash); COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _hutch; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  ['fish', (line) => `${hutchLine} completion fish | source; complete -C'${line}' | string split -f1 \\t`],
]
for (const [shell, script] of offers)
  test.for([
    ['hutch cgr', ['cgroup']],
    ['hutch cgroup se', ['set']],
    ['hutch run --memory-h', ['--memory-high']],
    ['hutch cgroup create --exist', ['--exist-ok']],
    ['hutch run --network ho', ['host']],
  ] as const)(`${shell} completes "%s" to %j`, async ([line, words], context) => {
    requires(context, shell as 'bash' | 'fish')
    const { stdout } = await collect(shell, ['-c', script(line)])
    expect(stdout.trim().split('\n')).toEqual(words)
  })

test('zsh accepts its script', async (context) => {
  requires(context, 'zsh')
  const { stdout } = await hutch(['completion', 'zsh'])
  const checked = await collect('zsh', ['-c', 'zsh -n <(print -r -- "$0")', stdout])
  expect(checked).toMatchObject({ status: 0, stderr: '' })
})

test('a shell without a script is an error that lists those that have one', async () => {
  const { status, stderr } = await hutch(['completion', 'tcsh'])
  expect({ status, stderr }).toMatchObject({ status: 125, stderr: expect.stringContaining('bash, zsh, fish') })
})

test('with --json, errors are a line of JSON', async () => {
  for (const args of [
    ['cgroup', 'get', 'hutch-no-such', '--json'],
    ['ps', '--json', '--bad'],
    ['run', '--json', '--cpus', 'x', '--', 'true'],
  ]) {
    const { status, stdout, stderr } = await hutch(args)
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: expect.any(String), message: expect.any(String), remedy: expect.any(String) },
    })
  }
  // the command's own option
  expect((await hutch(['run', '--cpus', 'x', 'true', '--json'])).stderr).toMatch(/^hutch: /)
})
