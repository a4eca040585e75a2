// SPDX-License-Identifier: Apache-2.0
// --landlock on the real kernel: what a rule names is allowed, all else is refused, and paths are those that the command sees.
// In a VM only in `npm run test:kernels`.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const [open, secret, image] = [`${work}/open`, `${work}/secret`, `${work}/image`]
beforeAll(() => {
  chmodSync(work, 0o755)
  for (const directory of [open, secret]) {
    mkdirSync(directory)
    chmodSync(directory, 0o777)
    writeFileSync(`${directory}/file`, 'there\n')
  }
  writeFileSync(`${open}/tool`, '#!/bin/sh\necho ran\n', { mode: 0o755 })
  symlinkSync(`${secret}/file`, `${open}/link`)
  makeImage(image)
  writeFileSync(`${image}/etc/inside`, 'there\n')
  symlinkSync('../../../../../../..', `${image}/data/up`)
})
afterAll(remove)
beforeEach((context) => requires(context, 'Landlock'))

const programs = ['/usr', '/bin', '/sbin', '/lib', '/lib64'].map((path) => `${path}:rx`)
const shell = (script: string, rules: readonly string[] | undefined, more: RunOptions = {}) =>
  run('/bin/sh', ['-c', script], { ...(rules && { landlock: [...programs, ...rules] }), ...more })

/** Each thing that may be done, alone; `cd` and a sum are done by the shell itself. */
const deeds: [letter: string, script: string][] = [
  ['r', `cat ${open}/file`],
  ['r', `ls ${open}`],
  ['w', `echo more >> ${open}/file`],
  ['w', `echo new > ${open}/new && rm ${open}/new`],
  ['w', `mkdir ${open}/d && mv ${open}/file ${open}/d/ && mv ${open}/d/file ${open}/ && rmdir ${open}/d`],
  ['rx', `${open}/tool`],
]

test.each(deeds)('%s lets it, and nothing less does: %s', async (letters, script) => {
  expect((await shell(script, undefined)).status, 'control').toBe(0)
  expect((await shell(script, [`${open}:${letters}`])).status).toBe(0)
  const others = 'rwx'.replace(new RegExp(`[${letters}]`, 'g'), '')
  for (const rules of [[], [`${open}:${others}`]]) {
    const { status, stderr } = await shell(script, rules)
    expect([rules, status]).not.toEqual([rules, 0])
    expect(stderr).toMatch(/ermission denied/)
  }
})

test('what leads out of a path is not below it, and children are held to it', async () => {
  const { stdout, stderr } = await shell(`cat ${open}/file; cat ${open}/link ${open}/../secret/file`, [`${open}:rwx`])
  expect(stdout).toMatch(/^there\n(more\n)*$/)
  expect(stderr!.match(/Permission denied/g)).toHaveLength(2)
})

/** Ways to give a file another path, each as root with all its rights. */
const ways: [way: string, script: string][] = [
  ['a hard link', `ln ${secret}/file ${open}/hard && cat ${open}/hard && rm ${open}/hard`],
  ['a rename', `mv ${secret}/file ${open}/moved && cat ${open}/moved && mv ${open}/moved ${secret}/file`],
  ['a bind mount', `mount --bind ${secret} ${open}/at && cat ${open}/at/file`],
  ['another root', `cat /proc/self/root${secret}/file`],
  ['the root of a process that is not held', `cat /proc/${process.pid}/root${secret}/file`],
  ['a descriptor of such a process', `cat /proc/${process.pid}/cwd/package.json`],
]

test.for(ways)('%s leads nowhere', async ([, script], context) => {
  requires(context, 'root')
  mkdirSync(`${open}/at`, { recursive: true })
  const isolate = ['mount'] as const
  expect((await shell(script, undefined, { isolate })).status, 'control').toBe(0)
  const { status, stderr } = await shell(script, [`${open}:rwx`, '/proc:rwx'], { isolate })
  expect([status, stderr]).toEqual([expect.any(Number), expect.stringMatching(/denied|not permitted|cross-device/i)])
  expect(status).not.toBe(0)
})

test('a file alone is enough, and a relative path begins where the command starts', async () => {
  const rules = [`${open}/file:r`, 'tool:r']
  const { stdout, stderr } = await shell('cat file | head -n 1; head -n 1 tool; ls', rules, { workdir: open })
  expect(stdout).toBe('there\n#!/bin/sh\n')
  expect(stderr).toMatch(/Permission denied/)
})

test('paths are those of a root of its own, and lead nowhere else', async (context) => {
  requires(context, 'root', 'busybox')
  const inside = (script: string, landlock: string[]) =>
    run('/bin/sh', ['-c', script], { rootfs: image, isolate: 'all', landlock: ['/bin:rx', ...landlock] })
  expect((await inside('cat /etc/inside', ['/etc:r'])).stdout).toBe('there\n')
  expect(await inside('cat /etc/inside', ['/data:r'])).toMatchObject({ status: 1, stdout: '' })
  // the link in the image means its own top
  expect((await inside('cat /etc/inside', ['/data/up:r'])).stdout).toBe('there\n')
  await expect(inside('true', [`${secret}:r`])).rejects.toMatchObject({ code: 'STEP_REFUSED', errno: 'ENOENT' })
})

test('it closes more of a sandbox, as root and as another user', async (context) => {
  const words = ['--sandbox', '--limit', 'none', '--timeout', process.env.VM ? '5m' : '20s']
  const rules = [...programs, '/tmp:rw'].flatMap((rule) => ['--landlock', rule])
  const script = 'echo x > /tmp/x && cat /tmp/x; cat /etc/passwd'
  const expected = { stdout: 'x\n', stderr: expect.stringMatching(/passwd: Permission denied/), status: 1 }
  expect(await hutch(['run', '--quiet', ...words, ...rules, '--', '/bin/sh', '-c', script])).toEqual(expected)
  requires(context, 'root')
  expect(await runAs(1000, ['--quiet', ...words, ...rules, '--', '/bin/sh', '-c', script])).toEqual(expected)
})

test('a program that may not be executed is told how it could be', async () => {
  const { status, stderr } = await hutch(['run', '--landlock', '/usr:r', '--', '/bin/true'])
  expect(status).toBe(126)
  expect(stderr).toMatch(/EACCES.*--landlock \/usr:rx/s)
})

test('a compiled file holds to it as well', async () => {
  const rules = programs.flatMap((rule) => ['--landlock', rule])
  const words = ['compile', '-o', `${work}/compiled`, ...rules, '--', '/bin/sh', '-c', `cat ${open}/file`]
  expect((await hutch(words)).stderr).toBe('')
  expect((await collect(`${work}/compiled`, [])).stderr).toMatch(/Permission denied/)
})
