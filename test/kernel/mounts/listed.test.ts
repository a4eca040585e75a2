// SPDX-License-Identifier: Apache-2.0
// Mounts, masked and read-only paths as data of a Spec: in the given order, without the mounts that hutch adds, with their propagation.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { mountAttributes } from '../../../src/ops/mount-flags.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { at, startIn, textOf } from '../../support/listed.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
const { nosuid } = mountAttributes
afterAll(remove)

test('a complete list is mounted in its order; any path can be masked or read-only', async (context) => {
  requires(context, 'root', 'busybox')
  mkdirSync(`${work}/data/sub`, { recursive: true })
  for (const name of ['seen', 'secret', 'fixed', 'sub/late']) writeFileSync(`${work}/data/${name}`, `${name}\n`)
  const bind = { source: `${work}/data`, recursive: true }
  const show =
    'cat /data/seen /data/secret /data/fixed /data/sub/*; touch /data/new && echo writes; touch /data/fixed 2>&1; ls /dev; ls /sys; cat /proc/acpi/x 2>&1; grep -c . /proc/timer_list'
  const job = await startIn(['/bin/sh', '-c', `${show}; true`], image, {
    standard: false,
    mounts: [
      at('proc', '/proc', { links: false }),
      at('bind', '/data', bind),
      // on top of what was mounted before it
      at('tmpfs', '/data/sub', { data: ['mode=755'] }),
      at('tmpfs', '/dev', { data: ['mode=755'] }),
      at('bind', 'null', { source: '/dev/null', flags: 0 }),
    ],
    maskedPaths: [{ path: '/data/secret' }, { path: '/proc/timer_list' }, { path: '/data/missing' }],
    readonlyPaths: [{ path: '/data/fixed' }],
  })
  expect((await textOf(job)).split('\n')).toEqual([
    'seen',
    'fixed',
    'writes',
    'touch: /data/fixed: Read-only file system',
    'null',
    expect.stringContaining('/proc/acpi/x'),
    '0',
    '',
  ])
})

/** Returns the propagation of a mount as in proc_pid_mountinfo(5); undefined if it does not exist. */
function propagationIn(pid: number, target: string): string | undefined {
  const line = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .find((one) => one.split(' ')[4] === target)
  return line
    ?.split(' ')
    .slice(6)
    .join(' ')
    .replace(/ ?- .*/, '')
    .replace(/\d+/g, 'N')
}

test('each mount has its own propagation: only a slave receives what the host mounts later', async (context) => {
  requires(context, 'root')
  const host = `${work}/host`
  mkdirSync(host)
  const mount = (...words: string[]) => execFileSync('mount', words)
  mount('-t', 'tmpfs', 'tmpfs', host)
  try {
    mount('--make-shared', host)
    for (const name of ['a', 'later']) mkdirSync(`${host}/${name}`)
    const bind = { source: host, recursive: true, flags: nosuid }
    const names = ['rslave', 'private', 'rshared', 'unbindable'] as const
    await using job = await startIn(['sleep', '600'], undefined, {
      mounts: [
        at('tmpfs', '/mnt'),
        ...names.map((propagation) => at('bind', `/mnt/${propagation}`, { ...bind, propagation })),
        at('bind', '/mnt/usual', bind),
      ],
    })
    await expect.poll(() => propagationIn(job.pid, '/')).toBe('')
    await expect.poll(() => readFileSync(`/proc/${job.pid}/task/${job.pid}/children`, 'utf8')).not.toBe('')
    const found = [...names, 'usual'].map((name) => propagationIn(job.pid, `/mnt/${name}`))
    expect(found).toEqual(['master:N', '', 'shared:N', 'unbindable', ''])
    mount('-t', 'tmpfs', 'tmpfs', `${host}/later`)
    const received = [...names, 'usual'].filter((name) => propagationIn(job.pid, `/mnt/${name}/later`) !== undefined)
    expect(received).toEqual(['rslave'])
  } finally {
    execFileSync('umount', ['-R', host])
  }
})
