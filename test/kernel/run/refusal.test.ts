// SPDX-License-Identifier: Apache-2.0
// Every way in which the kernel refuses a cgroup file, provoked for real: the error names file, value, errno, the cause and a remedy.
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup, HutchError } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { hutchCommand } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'
import { endSleepers, sleeper } from '../../support/sleeper.ts'

const name = `hutch-test-${process.pid}`
const top = `/${name}`

beforeEach(() => Cgroup.create(top))
afterEach(async () => {
  await endSleepers()
  await Cgroup.open(top).remove({ recursive: true, kill: true })
})

interface Case {
  title: string
  needs?: Parameters<typeof requires>[1]
  /** Must fail. */
  provoke: () => Promise<unknown>
  code: string
  errno?: string
  /** What the message must say, besides. */
  says: (string | RegExp)[]
}

const make = (path: string, options: Parameters<typeof Cgroup.create>[1] = {}) =>
  Cgroup.create(`${top}${path}`, options)
const nobody = (args: string[]) => hutch(args, { uid: 65534 })

const cases: Case[] = [
  {
    title: 'controllers for the children of a group with processes, before the kernel makes it threaded',
    needs: 'v2',
    provoke: async () => {
      const group = await make('/full', { controllers: ['pids'] })
      await group.add(sleeper())
      await group.set('cgroup.subtree_control', '+pids').catch((error) => {
        expect(group.get('cgroup.type')).toBe('domain')
        throw error
      })
    },
    code: 'CGROUP_POPULATED',
    errno: 'EBUSY',
    says: [/processes there: \d+ \(sleep\)/],
  },
  {
    title: 'the same when the kernel refuses it (EBUSY)',
    needs: 'v2',
    provoke: async () => {
      const group = await make('/full', { controllers: ['memory'] })
      await group.add(sleeper())
      await group.set('cgroup.subtree_control', '+memory', { force: true })
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EBUSY',
    says: ['cannot set cgroup.subtree_control to +memory', /processes in the group itself: \d+ \(sleep\)/],
  },
  {
    title: 'a controller taken from a group whose children hand it on (EBUSY)',
    needs: 'v2',
    provoke: async () => {
      await make('/a/b/c', { controllers: ['memory'] })
      await Cgroup.open(`${top}/a`).set('cgroup.subtree_control', '-memory')
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EBUSY',
    says: ['groups below enable it for their children: b'],
  },
  {
    title: 'a controller that the group does not have (ENOENT), with the level where the chain breaks',
    needs: 'v2',
    provoke: async () => {
      await make('/a', { controllers: [] })
      await Cgroup.open(`${top}/a`).set('cgroup.subtree_control', '+cpuset')
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'ENOENT',
    says: ['cpuset is not enabled for the children of', 'cgroup.subtree_control=+cpuset'],
  },
  {
    title: 'a controller that no kernel has (EINVAL)',
    needs: 'a v2 tree',
    provoke: () => Cgroup.open(top).set('cgroup.subtree_control', '+memry'),
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EINVAL',
    says: ['controllers here:', 'give names with + or -'],
  },
  {
    title: 'a file whose controller is not enabled, and the command that enables it',
    needs: 'v2',
    provoke: async () => {
      const group = await make('/a/b', { controllers: [] })
      await group.set('cpuset.cpus', '0')
    },
    code: 'CGROUP_FILE_MISSING',
    errno: 'ENOENT',
    says: [
      /cpuset is not enabled for the children of .*\/sys\/fs\/cgroup\S*/,
      /remedy: hutch cgroup set \/\S* cgroup\.subtree_control=\+cpuset/,
    ],
  },
  {
    title: 'a file that no kernel has',
    provoke: () => Cgroup.open(top).set('memory.maximum', '1'),
    code: 'CGROUP_FILE_MISSING',
    errno: 'ENOENT',
    says: ['cannot find memory.maximum'],
  },
  {
    title: 'a v1 name on v2',
    needs: 'v2',
    provoke: () => Cgroup.open(top).set('memory.limit_in_bytes', '1M'),
    code: 'CGROUP_FILE_MISSING',
    errno: 'ENOENT',
    says: ['memory.limit_in_bytes is a file of cgroup v1'],
  },
  {
    title: 'what v1 cannot express',
    needs: 'v1 controllers',
    provoke: () => Cgroup.open(top).set('memory.high', '10M'),
    code: 'CGROUP_LIMIT_UNSUPPORTED',
    says: ['memory.high'],
  },
  {
    title: 'a value that is not understood (EINVAL), with the accepted form',
    provoke: () => writeRaw('pids.max', '-5'),
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EINVAL',
    says: ['the kernel refused (EINVAL)', 'remedy: give'],
  },
  {
    title: 'a value out of range (ERANGE)',
    needs: 'v2',
    provoke: () => writeRaw('cpu.weight', '10001'),
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'ERANGE',
    says: ['10000'],
  },
  {
    title: 'a device that is not there (ENODEV)',
    needs: 'v2',
    provoke: () => writeRaw('io.max', '999:0 rbps=1000'),
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'ENODEV',
    says: ['lsblk'],
  },
  {
    title: 'a process that is not there (ESRCH)',
    provoke: () => Cgroup.open(top).add(4_194_303),
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'ESRCH',
    says: ['there is no process 4194303'],
  },
  {
    title: 'a process for a group that hands controllers to its children (EBUSY)',
    needs: 'v2',
    provoke: async () => {
      await make('/a/b', { controllers: ['memory'] })
      await Cgroup.open(`${top}/a`).add(sleeper())
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EBUSY',
    says: ['the group enables controllers for its children: memory'],
  },
  {
    title: 'a process for a group whose domain is invalid (EOPNOTSUPP)',
    needs: 'v2',
    provoke: async () => {
      await make('/d', { controllers: ['pids'] })
      const threaded = await make('/d/t', { controllers: [] })
      const other = await make('/d/x', { controllers: [] })
      await threaded.set('cgroup.type', 'threaded')
      await other.add(sleeper())
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EOPNOTSUPP',
    says: ["the group's type is domain invalid", 'write "threaded" to its cgroup.type'],
  },
  {
    title: 'a group below one whose type is threaded',
    needs: 'v2',
    provoke: async () => {
      const group = await make('/t', { controllers: [] })
      await group.set('cgroup.type', 'threaded')
      await make('/t/below', { controllers: ['pids'] })
    },
    code: 'CGROUP_THREADED',
    errno: 'EOPNOTSUPP',
    says: ['its type is threaded'],
  },
  {
    title: 'a domain that cannot become threaded (EOPNOTSUPP)',
    needs: 'v2',
    provoke: async () => {
      await make('/d/e', { controllers: ['memory'] })
      await Cgroup.open(`${top}/d`).set('cgroup.type', 'threaded')
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'EOPNOTSUPP',
    says: ['controllers for its children: memory'],
  },
  {
    title: 'a group with an empty cpuset (ENOSPC)',
    needs: 'v1 controllers',
    provoke: async () => {
      const mount = readHost().v1.cpuset!.mount
      mkdirSync(`${mount}${top}/empty`, { recursive: true })
      await Cgroup.open(`${top}/empty`).add(sleeper())
    },
    code: 'CGROUP_WRITE_REFUSED',
    errno: 'ENOSPC',
    says: ['its cpuset.cpus or cpuset.mems is empty'],
  },
  {
    title: 'CPUs that the machine lacks',
    needs: 'root',
    provoke: async () => (await make('/c', { controllers: ['cpuset'] })).set('cpuset.cpus', '0-8000'),
    code: 'CGROUP_WRITE_REFUSED',
    says: ['cpuset.cpus above it:'],
  },
  {
    title: 'a group that is there',
    provoke: () => Cgroup.create(top),
    code: 'CGROUP_REFUSED',
    errno: 'EEXIST',
    says: [top],
  },
  {
    title: 'pressure that is switched off',
    needs: 'v2',
    provoke: async () => {
      const group = await make('/p')
      await group.set('cgroup.pressure', false)
      group.read('cpu.pressure')
    },
    code: 'CGROUP_FILE_MISSING',
    errno: 'ENOENT',
    says: ['cgroup.pressure of the group is 0'],
  },
]

/** Past the checks of our own, to see what the kernel says. */
async function writeRaw(file: string, value: string): Promise<void> {
  const group = Cgroup.open(top)
  const { explainWrite } = await import('../../../src/cgroup/write-errors.ts')
  try {
    writeFileSync(`${group.directoryOf(file)}/${file}`, value, { flag: 'r+' })
  } catch (error) {
    const { code: errno = '' } = error as NodeJS.ErrnoException
    throw explainWrite({ directory: group.directoryOf(file)!, file, value, errno })
  }
}

test.for(cases)('$title', async ({ needs, provoke, code, errno, says }, context) => {
  if (needs) requires(context, needs)
  const error = await provoke().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!HutchError.is(error)) throw error ?? new Error('nothing was refused')
  expect([error.code, ...(errno ? [error.errno] : [])]).toEqual([code, ...(errno ? [errno] : [])])
  for (const words of says) expect(error.message).toMatch(words)
  expect(error.message.split('\n').at(-1)).toMatch(/^ {2}remedy: ./)
})

test('another user is told that the group is not delegated, and how that is done (EACCES)', async (context) => {
  requires(context, 'root')
  const set = await nobody(['cgroup', 'set', top, 'pids.max=5'])
  expect(set).toMatchObject({ status: 125, stdout: '' })
  expect(set.stderr).toMatch(
    /cannot set pids\.max to 5 in .*the kernel refused \(EACCES\)\n {2}user 65534 cannot write there/,
  )
  expect(set.stderr).toContain('remedy: run as root, or have the group delegated')
  const made = await nobody(['cgroup', 'create', `${top}/mine`])
  expect(made.stderr).toMatch(/cannot (make the group|set cgroup\.subtree_control) .*the kernel refused \(EACCES\)/)
  const moved = await nobody(['cgroup', 'move', top, String(sleeper())])
  expect(moved.stderr).toContain('nearest common ancestor')
})

test('a read-only cgroup file system is told as such (EROFS)', async (context) => {
  requires(context, 'root')
  const mounts = [...new Set([readHost().unified, ...Object.values(readHost().v1)].flatMap((one) => one?.mount ?? []))]
  const script = `${mounts.map((mount) => `mount -o remount,ro,bind ${mount}`).join(' && ')} && exec "$@"`
  const { status, stderr } = await collect('unshare', [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    ...hutchCommand,
    'cgroup',
    'create',
    `${top}/x`,
  ])
  expect(status).toBe(125)
  expect(stderr).toMatch(/the kernel refused \(EROFS\)\n {2}remedy: the cgroup file system is read-only here/)
})
