// SPDX-License-Identifier: Apache-2.0
// The binary without Node under AddressSanitizer and UndefinedBehaviorSanitizer: command lines and, with WHOLE=1, random input of equal/.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'
import { kindNames } from './equal/cases.ts'

const binary = `${process.cwd()}/build/standalone/hutch-sanitized`
const directory = mkdtempSync(`${tmpdir()}/hutch-sanitized-`)
const group = `hutch-test-${process.pid}-sanitized`
// the kernel frees what is left at the end
const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' }

const build = (...args: string[]) =>
  execFileSync(process.execPath, ['scripts/build/standalone.js', ...args], {
    env: { ...env, HUTCH_STANDALONE_SANITIZE: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })

beforeAll(() => {
  build()
  writeFileSync(`${directory}/deep.json`, '['.repeat(10_000))
  writeFileSync(`${directory}/odd.json`, Buffer.from('{"defaultAction":"\xff\xed\xa0\x80\\ud800"}', 'latin1'))
  writeFileSync(`${directory}/job.conf`, 'group a { pids { pids.max = "\0" } }')
}, 600_000)
afterAll(() => rmSync(directory, { recursive: true }))

test.each([
  [0, '--version'],
  [0, 'help'],
  [0, 'run --help=all'],
  [125, 'nosuch'],
  [125, 'run --memory 4X -- true'],
  [127, 'run -- /nosuch/é\udcff'],
  [0, 'completion zsh'],
  [125, `run --seccomp ${directory}/deep.json -- true`],
  [125, `run --seccomp ${directory}/odd.json -- true`],
  [125, `why ${directory}/deep.json`],
  [104, `cgconfigparser -l ${directory}/job.conf`],
  [0, 'lsns'],
  [0, 'ps'],
])('status %i: hutch %s', { timeout: 60_000 }, async (status, line) => {
  expect(await collect(binary, line.split(' '), { env })).toMatchObject({
    status,
    stderr: expect.not.stringMatching(/Sanitizer|runtime error/),
  })
})

test.for([
  [0, 'run -- true'],
  [3, "run --memory 50M --pids 20 --isolate all -- sh -c 'exit 3'"],
  [0, 'run --sandbox -- ls /'],
  [0, 'run --verbose --seccomp strict -- true'],
  [0, `run --report ${directory}/report -- true`],
  [124, 'run --timeout 200ms -- sleep 5'],
  [137, "run --max-output 10 -- sh -c 'echo 123456789012345; sleep 5'"],
  [0, `cgcreate -g pids:${group}`],
  [0, `cgset -r pids.max=7 ${group}`],
  [0, `cgexec -g pids:${group} true`],
  [0, `cgdelete -g pids:${group}`],
  [0, 'unshare --pid --fork --mount-proc true'],
  [0, 'bwrap --ro-bind / / --unshare-all true'],
  [0, `compile -o ${directory}/job -- true`],
] as const)('status %s', { timeout: 60_000 }, async ([status, line], context) => {
  requires(context, 'root')
  const ended = await collect('sh', ['-c', `exec ${binary} ${line}`], { env })
  expect([line, ended]).toEqual([line, { ...ended, status }])
  expect(ended.stderr).not.toMatch(/Sanitizer|runtime error/)
})

/** Only `npm run test:kernels` builds and runs these. */
const kinds = process.env.WHOLE === '1' ? kindNames : []
beforeAll(() => {
  if (kinds.length > 0) build('../test/standalone/equal/main.ts', 'equal-sanitized')
}, 600_000)

test.each(kinds)('random input: %s', { timeout: 600_000 }, async (kind) => {
  const args = [kind, String(Math.floor(Math.random() * 1_000_000)), '0', '300']
  const { status, stderr } = await collect(`${process.cwd()}/build/standalone/equal-sanitized`, args, { env })
  expect([args, status, stderr]).toEqual([args, 0, ''])
})
