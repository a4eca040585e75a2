// SPDX-License-Identifier: Apache-2.0
// Attempts to escape, each in every kind of container, where it must fail; and its control, which gets through.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { getPriority } from 'node:os'
import { afterAll, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { compileTimeout } from '../support/compile.ts'
import { makeImage, workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { endSleepers, sleeper, startQuiet } from '../support/sleeper.ts'
import { type Attempt, buildProgram, control, type Ground, inside, kinds } from './attempt.ts'
import { bombs } from './bombs.ts'
import { cgroups, groundForGroups, removeGroundForGroups } from './cgroups.ts'
import { files } from './files.ts'
import { machine } from './machine.ts'
import { mounts } from './mounts.ts'
import { others, ownGroup } from './others.ts'
import { processes } from './processes.ts'
import { sockets } from './sockets.ts'
import { streams } from './streams.ts'

const { path: work, remove } = workplace()
const ground: Ground = {}
const servers: Server[] = []
const topics = { machine, mounts, processes, others, files, streams, sockets, cgroups, bombs }

async function listen(where: object): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(where)
  servers.push(server)
  await once(server, 'listening')
  return server
}

/** The first that this kernel has. */
const firstOf = (paths: string[]) => paths.find(existsSync) ?? paths[0]!

beforeAll(async () => {
  ground.image = makeImage(`${work}/image`)
  const program = `${ground.image}/bin/attempt`
  buildProgram(program)
  copyFileSync(program, `${ground.image}/bin/root-attempt`)
  chmodSync(`${ground.image}/bin/root-attempt`, 0o4755)
  ground.secret = `${work}/secret`
  writeFileSync(ground.secret, 'of the host\n')
  ground.victim = String(sleeper())
  ground.abstract = `hutch-test-${process.pid}`
  ground.shared = `/dev/shm/hutch-test-${process.pid}`
  await once(startQuiet(program, ['listen-abstract', ground.abstract]).stdout!, 'data')
  const address = (await listen({ port: 0, host: '127.0.0.1' })).address()
  ground.port = String(typeof address === 'object' && address?.port)
  ground.interface = readdirSync('/sys/class/net').find((name) => name !== 'lo' && name !== 'bonding_masters') ?? 'eth0'
  ground.directory = `${work}/directory`
  mkdirSync(ground.directory)
  ground.input = `${work}/input`
  writeFileSync(ground.input, 'bytes of the caller\n')
  ground.group = ownGroup()
  ground.otherGroup = String(startQuiet('setsid', ['sleep', '1000']).pid)
  // a group of this session. The caller's own may be 0, in a VM whose first process began no session, and 0 means the one that calls
  const leader = startQuiet(program, ['lead-group'])
  await once(leader.stdout!, 'data')
  ground.groupByNumber = String(leader.pid)
  const niceness = getPriority()
  ground.niceness = String(niceness === 19 ? 18 : niceness + 1)
  Object.assign(ground, groundForGroups())
  // a user that has this one process: the control must not reach another
  ground.user = '61235'
  startQuiet('setpriv', ['--reuid', ground.user, '--clear-groups', 'sleep', '1000'])
  ground.ipc = String(process.pid)
  spawnSync(program, ['make-ipc', ground.ipc])
  const v1 = readHost().v1.pids
  ground.groups = v1 ? 'cgroup pids' : 'cgroup2 '
  ground.groupType = v1 ? 'cgroup pids pids.max 2000' : 'cgroup2  pids.max 2000'
  ground.groupFile = firstOf([v1 ? `${v1.mount}/release_agent` : `${readHost().unified?.mount}/cgroup.subtree_control`])
  ground.sysFile = firstOf([
    '/sys/kernel/uevent_helper',
    '/sys/kernel/mm/transparent_hugepage/enabled',
    '/sys/kernel/profiling',
  ])
  const disk = readdirSync('/sys/block').find((name) => /^(loop|vd|sd|nvme)/.test(name))
  // a number that is no disk's is refused by the same checks, and only after them found to be none
  ground.disk = (disk ? readFileSync(`/sys/block/${disk}/dev`, 'utf8') : '7:0').trim().replace(':', ' ')
}, compileTimeout)

afterAll(async () => {
  spawnSync(`${ground.image}/bin/attempt`, ['remove-ipc', ground.ipc!])
  for (const server of servers) server.close()
  await endSleepers()
  removeGroundForGroups(ground)
  remove()
})

beforeEach((context) => requires(context, 'root', 'busybox'))

/** The inside is tried on any kernel, the control where there is something to reach. */
function skipFor(context: TestContext, need: string): void {
  Object.assign(context.task.meta, { skipped: `needs ${need}` })
  context.skip(`needs ${need}`)
}

/** Where it must fail, it fails for a reason that the kernel gave; where it may get through, the table says why. */
function expected(attempt: Attempt, kind: string): RegExp {
  if (!attempt.open?.[kind]) return attempt.ends ?? /^refused: E[A-Z]+$/
  return attempt.absent ? new RegExp(`^(got through|refused: (${attempt.absent}))$`) : /^got through$/
}

// the version of control groups bears on attempts on groups, and some kernels lack what others try: those are tried whole on each
function rows(topic: string, attempts: readonly Attempt[]): readonly Attempt[] {
  const some = new Set(sampled(attempts, false, 8))
  return attempts.filter((attempt) => topic === 'cgroups' || attempt.absent !== undefined || some.has(attempt))
}

describe.each(Object.entries(topics).map(([topic, all]) => [topic, rows(topic, all)] as const))('%s', (_, attempts) => {
  test.for(attempts)('control: $what', async (attempt, context) => {
    const end = await control(attempt, ground)
    if (attempt.absent && new RegExp(`^refused: (${attempt.absent})$`).test(end))
      skipFor(context, 'a kernel that has it')
    expect(end).toBe('got through')
  })
  for (const [kind, options] of Object.entries(kinds))
    test.for(attempts)(`${kind}: $what`, async (attempt) => {
      expect(await inside(attempt, options, ground)).toMatch(expected(attempt, kind))
    })
})

test('there are enough of them, and each has a name of its own', () => {
  const names = Object.values(topics).flatMap((attempts) => attempts.map(({ what }) => what))
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThanOrEqual(195)
  expect(statSync(`${ground.image}/bin/attempt`).size).toBeGreaterThan(0)
})
