// SPDX-License-Identifier: Apache-2.0
// Every operation fails cleanly: each system call of a program is refused in turn, in a build made for that. The error names
// errno and the option that asked for it, and nothing is left. What may fail without an error is listed with its reason.
// In a VM only in `npm run test:kernels`.
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HutchError, run } from '../../../src/index.ts'
import type { Op, Program } from '../../../src/ops/ops.ts'
import { optionName } from '../../../src/options/names.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { buildDirectory, native } from '../../../src/system/native.ts'
import { buildFaulty, type Faulty } from '../../fault/build.ts'
import { hostMounts, makeImage, tree, workplace } from '../../support/image.ts'
import { children, leftGroups } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'
import { sampled } from '../../support/sample.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
let faulty: Faulty

beforeAll(async () => {
  faulty = await buildFaulty()
  // where the file system can do it
  const mapped = { volume: `${image}/etc:/sub:idmap` }
  const { mapUsers, mounts = [] } = full
  for (const name of ['upper', 'work', 'work/work', 'image/sub']) mkdirSync(`${work}/${name}`)
  const can = await run('true', [], { mapUsers, rootfs: image, mounts: [mapped] } as RunOptions).catch(() => undefined)
  if (can) full.mounts = [...mounts, mapped]
}, 300_000)
afterAll(() => {
  faulty.remove()
  remove()
})

/**
 * Calls that may be refused without an error, and how often in one operation: once more or twice where the reactor has
 * its own calls before, as many as it is woken, so that another number may be the same call again.
 */
const harmless: { [call: string]: [reason: string, operations: string, most: number] } = {
  umask: ['it cannot fail (umask(2))', 'attachTree attachNew attachOverlay', 20],
  fsconfig: ['the name that mount(8) shows for a file system', 'attachNew attachOverlay coverPath', 1],
  recvfrom: [
    'only to tell a better error, if there was one, or it will be retried',
    'sendMapped readFile readIfFailed killGroup',
    6,
  ],
  openat: [
    'a missing figure is reported; a clean-up removes a group without a lock only when it is empty',
    'readFile readIfFailed makeGroup limitUserCount',
    3,
  ],
  fchmodat: ['the mode that the umask allows stays', 'makeGroup', 1],
  flock: ['a clean-up removes a group without a lock only when it is empty', 'makeGroup', 1],
  fchmod: ['a clean-up removes a group without a lock only when it is empty', 'makeGroup', 1],
  read: ['a figure that cannot be read is told as missing', 'readFile readIfFailed', 3],
  clock_gettime: ['it cannot fail (clock_gettime(2)), and the reactor looks again', 'readFile readIfFailed', 4],
  waitid: ['the reactor is woken again while the process waits for that', 'readFile readIfFailed killGroup', 3],
  setfsuid: [
    'it cannot fail, and here it only tells (setfsuid(2))',
    'attachTree attachNew attachOverlay attachSent makeLink coverPath',
    20,
  ],
  getpid: ['it cannot fail (getpid(2))', 'exec stayOutside', 3],
  getpgid: ['it cannot fail for the own process (getpgid(2))', 'exec stayOutside', 1],
  getsid: ['it cannot fail for the own process (getsid(2))', 'exec stayOutside', 1],
  ioctl: ['a stream is taken for no terminal then', 'spawn attachTerminal', 3],
  write: ["the machine's counts by user hold then", 'limitUserCount', 1],
  statx: ['marks of an overlay are kept as outside a user namespace then', 'attachOverlay', 1],
  rt_sigpending: ['it cannot fail (rt_sigpending(2))', 'exec stayOutside fork', 1],
  rt_sigaction: ['it cannot fail for these signals', 'exec', 2],
  getcwd: ['the directory in which it starts is / then', 'pivotRoot', 1],
  chdir: ['the directory in which it starts is / then', 'pivotRoot', 1],
  prctl: [
    'the name that ps(1) shows of hutch-init, or a capability that is not there, so that it need not be dropped',
    'exec stayOutside fork dropBounding',
    1,
  ],
}

const limits: RunOptions['limits'] = {
  memory: '64M',
  swap: 0,
  pids: 50,
  cpus: 0.5,
  cpuWeight: 50,
  cpusetCpus: '0',
  oomGroup: true,
}

const full: RunOptions = {
  limits,
  isolate: ['all', 'user', 'time'],
  mapUsers: '0:0:1000',
  timeOffset: { monotonic: '+10s' },
  hostname: 'burrow',
  rootfs: image,
  readOnly: true,
  mounts: [
    { volume: `${image}/etc:/data:ro` },
    { tmpfs: '/tmp' },
    { overlay: `${image}/etc:/tmp/overlay` },
    // in a VM /tmp is an overlay itself, which is no upper layer
    ...(process.env.VM ? [] : [{ overlay: `${image}/etc:/etc:upper=${work}/upper,work=${work}/work` }]),
    { volume: '/dev/null:/dev/mine' },
  ],
  workdir: '/data',
  user: '1:1',
  groups: ['2', '3'],
  capDrop: 'ALL',
  capAdd: 'NET_BIND_SERVICE',
  ulimits: { nofile: 512 },
  oomScoreAdj: 500,
  nice: 5,
  ioPriority: 'best-effort:7',
  scheduler: 'batch',
  // where the kernel has it
  ...(native().landlock() > 0 && { landlock: ['/:rwx'] }),
}

/** Without a pid namespace of its own it is hutch that kills what is left. */
const joining: RunOptions = {
  limits,
  isolate: ['mount', 'uts'],
  join: { pid: process.pid, ipc: process.pid, net: process.pid },
  dev: true,
  group: '1',
  capDrop: ['SYS_ADMIN'],
}

/** What is there now of all that a job could leave. */
function present() {
  return {
    mounts: hostMounts(),
    files: tree(work),
    descriptors: readdirSync('/proc/self/fd').length,
    groups: leftGroups().filter((group) => group.includes(`/hutch-${process.pid}-`)),
    children: children(),
  }
}

/** The reactor closes a job's descriptors a moment after it has told of its end. */
async function settled(before: ReturnType<typeof present>) {
  for (let tries = 0; ; tries++) {
    const now = present()
    if (tries === 1000 || JSON.stringify(now) === JSON.stringify(before)) return now
    await pause(10)
  }
}

/** An error, or how it ended. */
type Outcome = HutchError | { reason: string; words: string }

/** Refuses the first call, the second, and so on until there is none; what came of each that was refused. */
async function refuseEach(
  section: 'outer' | 'inner',
  errno: keyof typeof constants.errno,
  run: () => Promise<Outcome>,
  program: () => Program,
) {
  const wrong: unknown[] = []
  const quiet = new Map<string, number>()
  const reached = new Set<string>()
  await run()
  let before = present()
  // what the first run, or the test runner, has still to close
  for (let same = 0; same < 5; ) {
    await pause(20)
    const now = present()
    same = JSON.stringify(now) === JSON.stringify(before) ? same + 1 : 0
    before = now
  }
  for (let call = 1; call < 5000; call++) {
    const op = program()
    const [outcome, refused] = await faulty.during({ section, call, errno: constants.errno[errno] }, run)
    if (!refused) return { wrong, reached, calls: call - 1 }
    const at = op[section][refused.step]!
    reached.add(at.op)
    const say = (why: string) =>
      wrong.push({
        why,
        section,
        call,
        at: at.op,
        refused,
        outcome: outcome instanceof Error ? outcome.message : outcome,
      })
    if (outcome instanceof Error) {
      if (outcome.errno !== errno) say('errno')
      if (!outcome.message.includes(wordOf(at))) say('option')
      // it is told that the group stays
      if (at.op === 'removeGroup')
        for (const group of present().groups) if (outcome.message.includes(group)) rmdirSync(group)
    } else if (outcome.reason === 'exit' && at.op === 'attachGroups') {
      // a view that a container refuses is left out
    } else if (outcome.reason === 'exit') {
      const [, operations = '', max = 0] = harmless[refused.call] ?? []
      const times = (quiet.get(`${refused.step} ${refused.call}`) ?? 0) + 1
      quiet.set(`${refused.step} ${refused.call}`, times)
      if (times > max || !operations.split(' ').includes(at.op)) say('no error')
    } else if (at.op !== 'exec' || refused.call !== 'execve' || !outcome.words.includes(errno)) say('no error of hutch')
    const left = await settled(before)
    if (JSON.stringify(left) !== JSON.stringify(before)) {
      say(
        `left: ${JSON.stringify(Object.entries(left).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key as keyof typeof before])))}`,
      )
      break
    }
  }
  return { wrong, reached, calls: 0 }
}

/** How an error names who asked for this. What hutch does of itself, no option has asked for. */
function wordOf(op: Op): string {
  if (op.op === 'spawn') return 'namespace'
  if (['run', 'events', 'usage', 'command', 'timeout'].includes(op.origin)) return 'cannot '
  return optionName(op.origin, 'cli')
}

async function job(options: RunOptions) {
  const { hutch } = faulty
  const spec = () => hutch.parseOptions('/bin/true', [], options, 'cli')
  const filter = await hutch.loadFilter(spec())
  const start = () =>
    Promise.resolve()
      .then(() => hutch.startSpec(spec(), { stdio: 'ignore', filter }).result)
      .then(
        ({ reason, verdict }): Outcome => ({ reason, words: JSON.stringify(verdict) }),
        (error: HutchError) => error,
      )
  return [start, () => hutch.prepare(spec(), filter).program] as const
}

/** A sandbox of a pool, from its launch to the end of a job in it. */
async function pooled(options: RunOptions) {
  const { hutch } = faulty
  const plan = () => hutch.parseOptions('true', [], options, 'cli')
  const order = { workdir: '/' }
  const spec = () => hutch.parseOrder(['/bin/true'], order, plan())
  const start = () =>
    new Promise<Outcome>((resolve) => {
      const failed = (error: HutchError) => resolve(error)
      try {
        const waiting = hutch.launchWaiting(plan(), undefined, {
          ready: () => {
            hutch
              .orderJob(waiting, spec(), {
                options: order,
                sources: { stdio: 'ignore', opened: [], inputs: [], writables: [] },
              })!
              .result.then(({ reason, verdict }) => resolve({ reason, words: JSON.stringify(verdict) }), failed)
          },
          ended: (error, how) => resolve(error ?? { reason: 'ended', words: how }),
        })
      } catch (error) {
        failed(error as HutchError)
      }
    })
  const program = () => {
    const { plan: planned, program: usual } = hutch.prepare(plan())
    return hutch.makeOrder(spec(), order, { plan: planned, ...hutch.waitForOrder(usual) }, {}).program
  }
  return [start, program] as const
}

const errnos = sampled(['EPERM', 'ENOSPC', 'ENOMEM'] as const, true)
const jobs: [name: string, options: RunOptions, least: number, job: typeof pooled][] = [
  ['everything of its own', full, 400, job],
  ['namespaces that are joined', joining, 100, job],
  ['a job of a pool', { limits: { memory: '64M' }, isolate: ['pid', 'mount'] }, 40, pooled],
]

for (const errno of errnos)
  test.for(jobs)(`refused with ${errno}: %s`, { timeout: 900_000 }, async ([, options, minCalls, job], context) => {
    requires(context, 'root', 'busybox')
    const [run, program] = await job(options)
    const sections = [await refuseEach('outer', errno, run, program), await refuseEach('inner', errno, run, program)]
    expect(sections.flatMap(({ wrong }) => wrong)).toEqual([])
    const { outer, inner } = program()
    // each operation was reached, but for the wait and the watch before it, which are the reactor's, and filters, which are taken down for the exec
    const silent = new Set<string>(['wait', 'watchReady', 'superviseCalls', 'superviseFilter', 'installFilter'])
    const names = (ops: Op[]) => [...new Set(ops.map(({ op }) => op))].filter((op) => !silent.has(op)).sort()
    // these jobs end well, so that nothing is read for an explanation
    expect([...sections[0]!.reached].sort()).toEqual(names(outer).filter((name) => name !== 'readIfFailed'))
    expect([...sections[1]!.reached].sort()).toEqual(names(inner))
    expect(sections[0]!.calls + sections[1]!.calls).toBeGreaterThan(minCalls)
  })

test('what ships has no such switch, and refuses a program that sets it', () => {
  const marked = (directory: string) =>
    ['hutch.node', 'hutch-init'].map((name) => readFileSync(`${directory}/${name}`, 'latin1').includes('hutch-fault'))
  expect(marked(`${faulty.directory}/build`)).toEqual([true, true])
  expect(marked(buildDirectory)).toEqual([false, false])
})
