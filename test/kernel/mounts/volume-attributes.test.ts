// SPDX-License-Identifier: Apache-2.0
// --volume with rw, suid, dev or exec of a source whose mount has the opposite flag: the start is refused, and the error names option, flag and source.
// In a VM only in `npm run test:kernels`.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../../cli/hutch.ts'
import { hutchLine } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-test-attributes-`)
const source = `${work}/source`
mkdirSync(source)
chmodSync(work, 0o755)
afterAll(() => rmSync(work, { recursive: true, force: true }))

/** A word of --volume, the flag of the source's mount, and the errno. */
const words: [word: string, flag: string, errno: string][] = [
  ['exec', 'noexec', 'EPERM'],
  ['suid', 'nosuid', 'EPERM'],
  ['dev', 'nodev', 'EPERM'],
  ['rw', 'ro', 'EROFS'],
]
const asUser = 'setpriv --reuid 61234 --regid 61234 --clear-groups'
const hutch = `${hutchLine}`
const volume = (word: string) => `--volume ${source}:/mnt:${word}`

/** Ways to start a command with that volume, as shell text. */
const starts: [name: string, command: (word: string, command: string) => string][] = [
  ['run', (word, command) => `${hutch} run --limit none --read-only ${volume(word)} -- ${command}`],
  ['a sandbox', (word, command) => `${hutch} run --sandbox --limit none ${volume(word)} -- ${command}`],
  [
    "a user's sandbox",
    (word, command) => `${asUser} ${hutch} run --sandbox --limit none ${volume(word)} -- ${command}`,
  ],
  [
    'a volume with ids of its own',
    (word, command) => `${hutch} run --sandbox --limit none ${volume(`${word},idmap`)} -- ${command}`,
  ],
  [
    'a compiled file',
    (word, command) =>
      `${hutch} compile -o ${work}/file-${word} --sandbox --limit none ${volume(word)} -- ${command} && ${work}/file-${word}`,
  ],
]

/** Runs shell text in a mount namespace where the source is a tmpfs with these flags. */
const whereMounted = (flags: string, shell: string) =>
  collect('unshare', ['--mount', 'sh', '-c', `mount -t tmpfs -o ${flags} none ${source} && ${shell}`], {
    env: { PATH: process.env.PATH, HOME: '/' },
  })

for (const [name, start] of starts)
  test.for(words)(
    `%s of a mount with %s is refused: ${name}`,
    { timeout: 60_000 },
    async ([word, flag, errno], context) => {
      requires(context, 'root', 'unshare(1)', 'setpriv(1)', 'user attributes on tmpfs')
      const ended = await whereMounted(flag, start(word, 'true'))
      expect(ended.status).toBe(125)
      expect(ended.stderr).toContain(
        `the mount of ${source} has ${flag}, so ${word} of --volume would not hold (${errno})\n`,
      )
      expect(ended.stderr).toContain(`or leave out ${word}\n`)
    },
  )

test('control: the flag holds in a plain bind mount, and the word alone starts where the mount lacks it', {
  timeout: 60_000,
}, async (context) => {
  requires(context, 'root', 'unshare(1)')
  const bound = await whereMounted('noexec', `mount --bind ${source} /mnt && cp /bin/true /mnt/true && /mnt/true`)
  expect(bound).toMatchObject({ status: 126 })
  const [, start] = starts[1]!
  const all = words.map(([word]) => word).join()
  expect(await whereMounted('rw', `cp /bin/true ${source} && ${start(all, '/mnt/true')}`)).toMatchObject({
    status: 0,
    stderr: '',
  })
  expect(await whereMounted('noexec,nosuid,nodev,ro', start('ro', 'true'))).toMatchObject({ status: 0, stderr: '' })
})
