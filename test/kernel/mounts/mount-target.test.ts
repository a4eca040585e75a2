// SPDX-License-Identifier: Apache-2.0
// Mount targets that are refused: each error names what is in the way and what a link leads to, and its remedy, pasted into a shell, works.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPool, run } from '../../../src/index.ts'
import { quote, shellWord } from '../../../src/text/quote.ts'
import { collect, type Ended, hutch } from '../../cli/hutch.ts'
import { hutchAs } from '../../support/anyone.ts'
import { hutchCommand } from '../../support/command.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
let image: string
const anyone = 65_534
const barren = '/etc/hutch-no-such-name'

beforeAll(() => {
  chmodSync(work, 0o755)
  image = makeImage(`${work}/image`)
  for (const name of ['run', 'var', 'usr/lib', 'home']) mkdirSync(`${image}/${name}`, { recursive: true })
  for (const [name, to] of [
    ['var/run', '/run'],
    ['lib', 'usr/lib'],
    ['loop', 'loop'],
    ['circle', 'circle'],
    ['dangling', '/made/for/it'],
    ['etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf'],
    ['etc/mtab', '../proc/self/mounts'],
    ['up', '../../../../../../../hutch-escaped'],
    ['home/out', work],
  ] as const)
    symlinkSync(to, `${image}/${name}`)
  writeFileSync(`${image}/data/file`, '')
  mkdirSync(`${work}/volume`)
  writeFileSync(`${work}/volume/inside`, '')
  writeFileSync(`${work}/file`, 'text\n')
})
beforeEach((context) => requires(context, 'root'))
afterAll(remove)

const shell = (line: string): Promise<Ended> => collect('sh', ['-c', line])
const hutchWords = hutchCommand.map(shellWord).join(' ')
const remedyOf = (stderr: string) => /remedy: (.*)/.exec(stderr)?.[1] ?? ''

test.each([
  ['/var/run', '/run'],
  ['/var/run/deep/er', '/run/deep/er'],
  ['/lib', '/usr/lib'],
  ['/dangling', '/made/for/it'],
  ['/dangling/x', '/made/for/it/x'],
  ['/up/x', '/hutch-escaped/x'],
])('a link of the root is followed inside: %s is %s', async (target, leads) => {
  const { stdout } = await run('sh', ['-c', `echo x > ${leads}/mark && cat ${target}/mark`], {
    rootfs: image,
    mounts: [{ tmpfs: target }],
  })
  expect(stdout).toBe('x\n')
  for (const outside of ['/hutch-escaped', '/made']) expect(() => readFileSync(outside)).toThrow(/ENOENT/)
})

test('a file is mounted where a link leads to nothing, as for resolv.conf of systemd', async () => {
  const options = { rootfs: image, mounts: [{ volume: `${work}/file:/etc/resolv.conf:ro` }] }
  expect((await run('cat', ['/etc/resolv.conf'], options)).stdout).toBe('text\n')
})

/** Options behind the root, what the error says, and where the caller is another user. */
type Case = [words: string, says: string, by?: 'user']
const root = () => `--rootfs ${image}`
const cases: { [title: string]: () => Case } = {
  'links in a circle': () => [`${root()} --tmpfs /loop/x`, 'the symbolic links at /loop form a loop (ELOOP)'],
  'a file on the way': () => [`${root()} --tmpfs /data/file/x`, '/data/file is a file, not a directory (ENOTDIR)'],
  'a file on a directory': () => [
    `${root()} --volume ${work}/file:/data`,
    `${work}/file is a file, and /data is a directory (EISDIR)`,
  ],
  'a read-only root': () => [
    `${root()} --read-only --tmpfs /new/er:size=1M`,
    '/new does not exist inside and cannot be made, as / is read-only (EROFS)',
  ],
  'a directory of the host': () => [
    `--isolate mount --volume ${work}/volume:${barren}/x`,
    `${barren} does not exist inside, and hutch creates nothing in /etc`,
  ],
  'a file in a directory of the host': () => [
    `--isolate mount --volume ${work}/file:${barren}:ro`,
    `${barren} does not exist inside`,
  ],
  'a sandbox': () => [`--sandbox --limit none --tmpfs ${barren}`, `${barren} does not exist inside`],
  'a user without rights': () => [`--isolate user,mount --tmpfs ${barren}`, `${barren} does not exist inside`, 'user'],
  'a directory that is closed to the user': () => [
    '--isolate user,mount --tmpfs /root/x',
    `user ${anyone} cannot search the directory /root (mode 0700, owner 0) (EACCES)`,
    'user',
  ],
  'a root in which the user may make nothing': () => [
    `${root()} --isolate all,user --tmpfs /new-of-user`,
    `/new-of-user does not exist inside, and user ${anyone} cannot create it in / (mode 0755, owner 0) (EACCES)`,
    'user',
  ],
}

test.each(Object.entries(cases))('run: %s', async (_, make) => {
  const [words, says, by] = make()
  const start = async (options: string) =>
    by === 'user'
      ? (await hutchAs(anyone, ['run', ...options.split(' '), '--', 'true'])).ended
      : shell(`cd / && ${hutchWords} run ${options} -- true`)
  const refused = await start(words)
  expect(refused).toMatchObject({ status: 125, stderr: expect.stringContaining(says) })
  const remedy = remedyOf(refused.stderr)
  const option = words.slice(words.lastIndexOf('--'))
  const [, command = ''] = /: ((?:rm|mkdir) .*)/.exec(remedy.replace(/; or .*/, '')) ?? []
  const [, options = ''] = command ? [] : (/: (--[^;]*)/.exec(remedy) ?? [])
  expect([remedy, command || options]).not.toContain('')
  if (command) execFileSync('sh', ['-c', command])
  const again = await start(command ? words : words.replace(option, options))
  expect([remedy, again]).toEqual([remedy, { status: 0, stdout: '', stderr: '' }])
})

const usr = '--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64'
test.each([
  [`${usr} --bind WORK/volume /lib`, '/lib is a symbolic link to /usr/lib inside', '--bind WORK/volume /usr/lib'],
  [`${usr} --symlink /made/here /x --bind WORK/volume /x`, '/x is a symbolic link to /made/here inside', ''],
  [`${usr} --dir /b --symlink b /e --tmpfs /e`, '/e is a symbolic link to /b inside', '--tmpfs /b'],
  [`--ro-bind / / --tmpfs ${barren}`, `${barren} does not exist inside and cannot be made, as /etc is read-only`, ''],
  [`--ro-bind / / --bind WORK/volume /etc/passwd/x`, '/etc/passwd is a file, not a directory', undefined],
  [
    `${usr} --dir /d --ro-bind WORK/file /d`,
    'WORK/file is a file, and /d is a directory',
    '--ro-bind WORK/file /d/file',
  ],
])('bwrap: %s', async (typed, said, remedied) => {
  const [words, says] = [typed, said].map((text) => text.replaceAll('WORK', work)) as [string, string]
  const line = (options: string) => `cd / && ${hutchWords} bwrap ${options} true`
  const refused = await shell(line(words))
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(says) })
  const options = /: (--[^;]*)/.exec(remedyOf(refused.stderr))?.[1] ?? ''
  if (remedied) expect(options).toBe(remedied.replaceAll('WORK', work))
  if (remedied === undefined) return
  // the last option is replaced; /usr/lib is covered by it, so that nothing runs
  const again = await shell(line(words.replace(/--\S+( [^-]\S*)+$/, options)))
  expect(again.stderr).not.toMatch(/cannot (mount|make)/)
  if (!options.includes('/usr/lib')) expect([options, again]).toEqual([options, { status: 0, stdout: '', stderr: '' }])
})

test.each([
  ['/proc/self/x', 'run'],
  ['/etc/mtab/x', 'run'],
])('what each process has for itself is no target: %s', async (target) => {
  const { stderr } = await hutch(['run', '--rootfs', image, '--tmpfs', target, '--', 'true'])
  expect(stderr).toMatch(/which is private to each process|nothing can be made below \/proc/)
})

test('the library names its own options, a pool alike', async () => {
  const options = { rootfs: image, mounts: [{ volume: `${work}/file:/data` }] }
  const remedy = `also name the file inside: mounts: [{ volume: ${JSON.stringify(`${work}/file:/data/file`)} }]`
  await expect(run('true', [], options)).rejects.toMatchObject({ code: 'MOUNT_REFUSED', remedy })
  await expect(createPool({ size: 1, plan: options })).rejects.toMatchObject({ code: 'MOUNT_REFUSED', remedy })
})

test.each([
  ['/proc', ''],
  ['/dev', ''],
])('%s as a link of the root: the command of the remedy replaces it', async (name) => {
  const lying = makeImage(`${work}/lying${name}`)
  rmSync(`${lying}${name}`, { recursive: true })
  symlinkSync('/data', `${lying}${name}`)
  const { stderr } = await hutch(['run', '--rootfs', lying, '--', 'true'])
  expect(stderr).toContain(`${name} is a symbolic link to /data inside, and ${quote(name)} must be a directory`)
  execFileSync('sh', ['-c', remedyOf(stderr).replace(/^.*?: /, '')])
  expect((await hutch(['run', '--rootfs', lying, '--', 'true'])).status).toBe(0)
})

test('a compiled file says where the target leads', async () => {
  const file = `${work}/job`
  const options = ['--rootfs', image, '--tmpfs', '/circle/x']
  expect((await hutch(['compile', '--output', file, ...options, '--', 'true'])).status).toBe(0)
  const { status, stderr } = await collect(file, [])
  expect([status, stderr]).toEqual([
    125,
    expect.stringMatching(/\/circle\/x leads .*ELOOP.*\n[\s\S]* {2}symbolic link: {2}\/circle\n/),
  ])
})
