// SPDX-License-Identifier: Apache-2.0
// Pools: prestarted sandboxes, their orders and their ends.
// In a VM only in `npm run test:kernels`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { createPool, type JobOptions, type Pool, type RunOptions, run } from '../../../src/index.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { children, killsHutches, leftGroups } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'
import { repetitions } from '../../support/sample.ts'
import { nearGroups } from '../../support/test-groups.ts'

killsHutches()

const { path: work, remove } = workplace()
afterAll(remove)
const descriptors = () => readdirSync('/proc/self/fd').length
const ownGroups = () => leftGroups().filter((group) => group.includes(`/hutch-${process.pid}-`))

/** The sandboxes are all there again. */
async function filled(pool: Pool): Promise<void> {
  for (let tries = 0; pool.stats().waiting < pool.stats().size && tries < 3000; tries++) await pause(10)
  expect(pool.stats()).toMatchObject({ waiting: pool.stats().size, launching: 0 })
}

/** Kills a process that may have ended since it was seen; whether it was still there. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds() && tries < 3000; tries++) await pause(10)
  expect(holds()).toBe(true)
}

/** Looks for what a job before it could have left, then leaves all that it can. */
const [addKey, keyctl] = process.arch === 'x64' ? [248, 250] : [217, 219]
const nosy = `ls -A /tmp /dev/shm 2>&1
  set -- /proc/[0-9]*; echo $# processes
  ls /proc/self/fd | tr '\\n' ' '
  cat /proc/sysvipc/shm /proc/sysvipc/msg /proc/sysvipc/sem 2>&1 | grep -c '^ *[0-9]'
  perl -e '@w = ("user", "left"); print syscall(${keyctl}, 10, -3, @w, 0) > 0 ? "a key" : "no key", "\\n"'
  env | sort; pwd; umask; ulimit -n; ulimit -c; cat /proc/self/oom_score_adj
  grep -E '^(Sig[BI]|Cap|NoNew|Seccomp:)' /proc/self/status
  echo x > /tmp/left; echo x > /dev/shm/left; cd /; umask 7; ulimit -n 50; ulimit -c 0
  perl -e '@w = ("user", "left", "x"); syscall(${addKey}, @w, 1, -3)'
  ipcmk -M 100 >/dev/null 2>&1; echo 900 > /proc/self/oom_score_adj
  (trap '' TERM; sleep 4713) >/dev/null 2>&1 </dev/null &
  exec 9</etc/passwd; export LEFT=behind`

const soakJobs = repetitions(400, 80, 8)

test(`${soakJobs} jobs, 8 at once, see nothing of each other, and leave nothing`, { timeout: 300_000 }, async () => {
  await run('true')
  await pause(100)
  const before = descriptors()
  await using pool = await createPool({ size: 8, plan: { sandbox: true } })
  const first = await pool.run(['sh', '-c', nosy])
  expect(first).toMatchObject({ reason: 'exit', stderr: '' })
  expect(first.stdout).toContain('no key')
  expect(first.stdout).not.toContain('left')
  const seen = new Set<string>()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let i = 0; i < soakJobs / 8; i++) {
        const { stdout, status } = await pool.run(['sh', '-c', nosy])
        seen.add(`${status} ${stdout}`)
      }
    }),
  )
  expect([...seen]).toEqual([`${first.status} ${first.stdout}`])
  await filled(pool)
  expect(pool.stats()).toEqual({
    size: 8,
    waiting: 8,
    launching: 0,
    running: 0,
    queued: 0,
    started: soakJobs + 1,
    finished: soakJobs + 1,
    lost: 0,
  })
  await pool.close()
  await until(() => descriptors() <= before)
  expect(children()).toEqual([])
  expect(ownGroups()).toEqual([])
})

const plans: [string, RunOptions][] = [
  ['the host’s own namespaces', { isolate: 'none', limits: { memory: '64M', pids: 20 } }],
  ['namespaces', { limits: { memory: '64M' }, timeout: '30s' }],
  ['the command as PID 1', { init: false, isolate: ['pid', 'mount'], killAfter: 100 }],
  ['a user and a time namespace', { isolate: ['all', 'user', 'time'], timeOffset: { monotonic: '+10s' } }],
  ['a pid namespace that is joined', { isolate: ['mount'], join: { pid: process.pid } }],
  ['few descriptors', { ulimits: { nofile: 4 }, seccomp: 'strict' }],
  ['a sandbox', { sandbox: true }],
]
const commands: [argv: [string, ...string[]], options?: JobOptions][] = [
  [['echo', 'a b', '', '$HOME\n*']],
  [['sh', '-c', 'cat; echo error >&2; exit 3'], { input: 'from outside' }],
  [['sh', '-c', 'kill -9 $$']],
  [['sh', '-c', 'echo $A $PATH; pwd; env | grep -c HOME'], { env: { A: 'b', HOME: undefined }, workdir: '/usr' }],
  [['sh', '-c', 'echo $PATH; sh -c true'], { env: { PATH: '/bin:/usr/bin' } }],
  [['/no/such/program']],
  [['/etc/passwd']],
  [['yes'], { maxOutput: 1000 }],
  // long enough for the command to have begun
  [['sleep', '60'], { timeout: process.env.VM ? 3000 : 300 }],
  [['true'], { workdir: '/no/such/directory' }],
]

test.for(process.env.VM ? plans.slice(-3) : plans)(
  'a job of a pool comes to what a run comes to: %s',
  async ([, plan], context) => {
    if (plan.sandbox) requires(context, 'root')
    await using pool = await createPool({ size: 2, plan })
    const essence = (result: Promise<Awaited<ReturnType<typeof run>>>) =>
      result.then(
        ({ command, exitCode, signal, signalFrom, reason, judge, status, limits, stdout, stderr, verdict }) => {
          const told = { command, exitCode, signal, signalFrom, reason, judge, status, limits, stdout, stderr }
          return { ...told, headline: verdict.headline.replace(/after [\d.]+ m?s/, 'after …') }
        },
        (error) => error.toJSON(),
      )
    for (const [argv, options = {}] of commands) {
      const [command, ...args] = argv
      const wanted = await essence(run(command, args, { ...plan, ...options }))
      expect(await essence(pool.run(argv, options))).toEqual(wanted)
    }
  },
)

test('a job’s limits are lowered for it alone', async () => {
  const limits = { memory: '64M', swap: 0, pids: 20, cpus: 1 }
  await using pool = await createPool({ size: 1, plan: { limits, timeout: '60s', cpuTime: '50s', maxOutput: '1M' } })
  const hog: [string, ...string[]] = ['hutch', 'hog', '40M']
  const tight = await pool.run(hog, { limits: { memory: '20M' } })
  expect(tight).toMatchObject({ reason: 'oom', judge: 'MLE', limits: { 'memory.max': 20 * 2 ** 20, 'pids.max': 20 } })
  expect(tight.verdict.evidence[0]?.[1]).toMatch(/^20\.0 MiB/)
  expect(await pool.run(hog)).toMatchObject({ reason: 'exit', exitCode: 0, limits: { 'memory.max': 64 * 2 ** 20 } })
  // less than what waits has already
  const tiny = await pool.run(['true'], { limits: { memory: '4K' } }).catch((error) => error.code)
  expect(['CGROUP_LIMIT_REFUSED', 'POOL_SANDBOX_LOST']).toContain(tiny)
  const forks = ['sh', '-c', 'for i in 1 2 3 4 5; do sleep 1 & done; wait'] as const
  expect((await pool.run(forks, { limits: { pids: 4 } })).usage.pidsDenied).toBeGreaterThan(0)
  expect((await pool.run(forks)).usage.pidsDenied).toBe(0)
  const burn = ['sh', '-c', 'while :; do :; done'] as const
  const slow = await pool.run(burn, { limits: { cpus: 0.1 }, timeout: 2000 })
  expect(slow).toMatchObject({ reason: 'timeout', limits: { 'cpu.max': '10000 100000' } })
  expect(slow.usage.throttledPeriods).toBeGreaterThan(1)
  expect(slow.usage.cpuUsec! / 1000 / slow.durationMs).toBeLessThan(0.3)
  expect(await pool.run(burn, { cpuTime: 100 })).toMatchObject({ reason: 'cpu-time', judge: 'TLE' })
  expect(await pool.run(['yes'], { maxOutput: 10 })).toMatchObject({ reason: 'output', stdout: 'y\n'.repeat(5) })
})

test('time counts from the order, not from the launch', async () => {
  const timeout = process.env.VM ? 12_000 : 3000
  await using pool = await createPool({ size: 1, plan: { timeout, cpuTime: '10s' } })
  await pause(timeout + 500)
  const result = await pool.run(['sh', '-c', 'sleep 0.3'])
  expect(result).toMatchObject({ reason: 'exit', exitCode: 0 })
  expect(result.durationMs).toBeGreaterThanOrEqual(300)
  expect(result.durationMs).toBeLessThan(timeout)
  expect(await pool.run(['sleep', '60'])).toMatchObject({ reason: 'timeout', status: 124 })
})

const refused: [string, argv: readonly string[], options: JobOptions, code: string, word: RegExp][] = [
  ['more memory', ['true'], { limits: { memory: '65M' } }, 'OPTION_INVALID', /limits\.memory.*memory\.max 67108864/],
  ['no memory limit', ['true'], { limits: { memory: 'max' } }, 'OPTION_INVALID', /limits\.memory/],
  ['more CPUs', ['true'], { limits: { cpus: 2 } }, 'OPTION_INVALID', /limits\.cpus.*100000 100000/],
  ['a limit that there is not', ['true'], { limits: { pids: 5 } }, 'OPTION_CONFLICT', /limits\.pids.*createPool/s],
  ['a longer time', ['true'], { timeout: '11s' }, 'OPTION_INVALID', /timeout.*10\.0 s/],
  ['no time', ['true'], { timeout: 0 }, 'OPTION_INVALID', /timeout/],
  ['CPU time', ['true'], { cpuTime: '1s' }, 'OPTION_CONFLICT', /cpuTime/],
  ['more output', ['true'], { maxOutput: 'max' }, 'OPTION_INVALID', /maxOutput.*1000 B/],
  ['another plan', ['true'], { isolate: 'none' } as JobOptions, 'OPTION_UNKNOWN', /isolate/],
  ['another limit', ['true'], { limits: { 'memory.high': 1 } as never }, 'OPTION_UNKNOWN', /memory\.high/],
  ['a NUL', ['echo', 'a\0b'], {}, 'OPTION_INVALID', /without NUL/],
  ['nothing', [], {}, 'COMMAND_MISSING', /pool\.run/],
  ['a bad variable', ['true'], { env: { 'A=B': 'c' } }, 'OPTION_INVALID', /A=B/],
  ['two inputs', ['true'], { input: 'a', stdio: 'ignore' }, 'OPTION_CONFLICT', /input/],
  ['a closed descriptor', ['true'], { stdio: [9999, 'ignore', 'ignore'] }, 'STEP_REFUSED', /EBADF.*are open/s],
  [
    'too many words',
    ['echo', ...Array(40).fill('x'.repeat(4000))],
    {},
    'OPTION_INVALID',
    /a request has at most 131068/,
  ],
]

test('what a job may not ask for is refused, and costs no sandbox', async () => {
  const limits = { memory: '64M', cpus: 1 }
  await using pool = await createPool({ size: 1, plan: { limits, timeout: '10s', maxOutput: 1000 } })
  const before = children()
  for (const [title, argv, options, code, word] of refused) {
    const error = await pool.run(argv, options).catch((caught) => caught)
    expect([title, error.code, error.message]).toEqual([title, code, expect.stringMatching(word)])
    expect(children()).toEqual(before)
  }
  const longest = await pool.run(['sh', '-c', 'printf %s "$1" | wc -c', '-', 'x'.repeat(120_000)])
  expect(longest.stdout).toBe('120000\n')
})

test('a pool that cannot be made says why, and leaves nothing', async (context) => {
  requires(context, 'root', 'busybox')
  const made = (options: unknown) => createPool(options as never).catch((error) => error.code)
  expect(await made({ size: 0 })).toBe('OPTION_INVALID')
  expect(await made({ size: 1, plan: { stdio: 'pipe' } })).toBe('OPTION_UNKNOWN')
  expect(await made({ size: 1, input: 'a' })).toBe('OPTION_UNKNOWN')
  expect(await made({ size: 1, sandbox: true, plan: {} })).toBe('OPTION_CONFLICT')
  expect(await made({ size: 3, plan: { rootfs: '/no/such/root' } })).toBe('MOUNT_REFUSED')
  expect(await made({ size: 3, plan: { workdir: '/no/such/directory' } })).toBe('STEP_REFUSED')
  // on v2 the clone itself may be refused for memory
  expect(['POOL_SANDBOX_LOST', 'NAMESPACE_REFUSED']).toContain(
    await made({ size: 3, plan: { limits: { memory: '4K', swap: 0 } } }),
  )
  expect([children(), ownGroups()]).toEqual([[], []])
})

test('more jobs than sandboxes wait in order', async () => {
  await using pool = await createPool({ size: 2 })
  const begun = () => (existsSync(`${work}/begun`) ? readFileSync(`${work}/begun`, 'utf8').trim().split('\n') : [])
  // each says that it runs, and ends when it is told to
  const script = 'echo $1 >> $0/begun; until [ -e $0/end.$1 ]; do sleep 0.02; done'
  const jobs = Array.from({ length: 6 }, (_, i) => pool.run(['sh', '-c', script, work, String(i)]))
  expect(pool.stats()).toMatchObject({ running: 2, queued: 4, started: 2, finished: 0 })
  await until(() => begun().length === 2)
  expect(begun().sort()).toEqual(['0', '1'])
  let fourth = 0
  for (const [i, job] of jobs.entries()) {
    if (i === 3) fourth = performance.now()
    writeFileSync(`${work}/end.${i}`, '')
    await job
    if (i > 3) continue
    await until(() => begun().length === i + 3)
    expect(begun().at(-1)).toBe(String(i + 2))
  }
  // what the last one waited is not its own: it begins when the fourth has ended
  expect((await jobs[5]!).durationMs).toBeLessThanOrEqual(Math.ceil(performance.now() - fourth))
  expect(pool.stats()).toMatchObject({ running: 0, queued: 0, started: 6, finished: 6 })
})

test('a job is aborted before, while it waits for its turn, and while it runs', async () => {
  await using pool = await createPool({ size: 1 })
  const before = await pool.run(['true'], { signal: AbortSignal.abort() })
  expect(before).toMatchObject({ reason: 'aborted', command: ['true'], durationMs: 0, stdout: '' })
  expect(before.verdict.headline).toBe('stopped by its caller before it began')
  const [first, second] = [new AbortController(), new AbortController()]
  const running = pool.run(['sh', '-c', 'exec sleep 60'], { signal: first.signal })
  const queued = pool.run(['true'], { signal: second.signal })
  await pause(200)
  expect(pool.stats()).toMatchObject({ running: 1, queued: 1 })
  second.abort()
  expect(await queued).toMatchObject({ reason: 'aborted', verdict: before.verdict })
  expect(pool.stats()).toMatchObject({ running: 1, queued: 0, started: 1 })
  first.abort()
  expect(await running).toMatchObject({ reason: 'aborted', signal: 'SIGTERM' })
  // also in the moment after the order it is not lost
  const early = new AbortController()
  const aborted = pool.run(['sleep', '60'], { signal: early.signal })
  await until(() => pool.stats().running === 1)
  early.abort()
  expect(await aborted).toMatchObject({ reason: 'aborted', signal: 'SIGTERM' })
})

test('close lets jobs end and takes no more', async () => {
  const pool = await createPool({ size: 1 })
  const running = pool.run(['sh', '-c', 'sleep 0.3; echo done'])
  const queued = pool.run(['echo']).catch((error) => error.message)
  const closed = pool.close()
  expect(await queued).toContain('cannot run echo: its pool is closed')
  expect((await pool.run(['true']).catch((error) => error)).code).toBe('POOL_CLOSED')
  expect(await running).toMatchObject({ stdout: 'done\n', exitCode: 0 })
  await closed
  await pool.close()
  expect([children(), ownGroups()]).toEqual([[], []])
})

test('the end of a block kills what runs', async () => {
  let running: ReturnType<Pool['run']>
  const begun = performance.now()
  {
    await using pool = await createPool({ size: 3 })
    running = pool.run(['sh', '-c', `echo > ${work}/runs; exec sleep 60`])
    await until(() => existsSync(`${work}/runs`))
  }
  expect(await running).toMatchObject({ signal: 'SIGKILL', signalFrom: 'outside' })
  expect(performance.now() - begun).toBeLessThan(30_000)
  expect([children(), ownGroups()]).toEqual([[], []])
})

test('sandboxes that are killed while they wait are replaced, and jobs get others', async () => {
  await using pool = await createPool({ size: 4 })
  for (const pid of children()) process.kill(Number(pid), 'SIGKILL')
  const results = await Promise.all([1, 2, 3, 4, 5, 6].map((i) => pool.run(['echo', String(i)])))
  expect(results.map(({ stdout }) => stdout)).toEqual(['1\n', '2\n', '3\n', '4\n', '5\n', '6\n'])
  await filled(pool)
  expect(pool.stats()).toMatchObject({ lost: 4, started: 6, finished: 6 })
})

test('while sandboxes are killed at random, each job ends as it should, or says that it was killed', async () => {
  const jobs = process.env.VM ? 20 : 200
  await using pool = await createPool({ size: 4, plan: { limits: { memory: '64M' } } })
  let [left, well, lost, kills, over] = [jobs, 0, 0, 0, false]
  const attacker = (async () => {
    while (!over) {
      await pause(20)
      // where a launch takes longer than the pause between two kills nothing would ever run
      if (well < 2 * kills) continue
      const all = children()
      const victim = Number(all[Math.floor(Math.random() * all.length)])
      if (victim && killed(victim)) kills++
    }
  })()
  const worker = async () => {
    for (let i = left--; i > 0; i = left--) {
      const result = await pool.run(['echo', String(i)])
      if (result.signal === 'SIGKILL') lost++
      else expect(result, String(++well)).toMatchObject({ stdout: `${i}\n`, exitCode: 0 })
    }
  }
  try {
    await Promise.all(Array.from({ length: 8 }, worker))
  } finally {
    over = true
    await attacker
  }
  expect(lost).toBeLessThanOrEqual(kills)
  expect(lost).toBeLessThan(jobs / 2)
  expect(pool.stats().finished).toBe(jobs)
})

test.each([true, false])('signals to a sandbox that waits are nobody’s, with PID 1: %s', async (init) => {
  await using pool = await createPool({ size: 1, plan: { init, isolate: init ? ['pid', 'mount'] : 'none' } })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGTSTP', 'SIGUSR1'] as const)
    process.kill(Number(children()[0]), signal)
  await pause(50)
  expect(await pool.run(['sh', '-c', 'echo well'])).toMatchObject({ stdout: 'well\n', exitCode: 0 })
  expect(pool.stats().lost).toBe(0)
})

test('when launches fail jobs are told why, and the pool comes back', async (context) => {
  requires(context, 'root', 'busybox')
  const rootfs = makeImage(`${work}/image`)
  await using pool = await createPool({ size: 2, plan: { rootfs, timeout: '30s' } })
  renameSync(rootfs, `${rootfs}.away`)
  // those that wait have their root
  expect((await pool.run(['/bin/busybox', 'echo', 'one'])).stdout).toBe('one\n')
  expect((await pool.run(['/bin/busybox', 'echo', 'two'])).stdout).toBe('two\n')
  const failed = await Promise.all([1, 2, 3].map(() => pool.run(['/bin/busybox', 'true']).catch((error) => error)))
  expect(failed.map((error) => [error.code, error.errno])).toEqual(Array(3).fill(['MOUNT_REFUSED', 'ENOENT']))
  expect(failed[0].message).toContain(rootfs)
  renameSync(`${rootfs}.away`, rootfs)
  await filled(pool)
  expect((await pool.run(['/bin/busybox', 'echo', 'three'])).stdout).toBe('three\n')
})

test('a network is connected before a job begins', async (context) => {
  // how networks are connected is tested there, too: test/kernel/network/network.test.ts
  requires(context, 'not a VM', 'root', 'pasta(1)', 'a tun device')
  await using pool = await createPool({ size: 1, plan: { network: 'private' } })
  for (let i = 0; i < 2; i++)
    expect((await pool.run(['sh', '-c', 'grep -c "^[a-z]" /proc/net/route'])).stdout).toMatch(/^[1-9]/)
})

test('who waits has no descriptor of this process, cannot be traced, and holds no right that the job has not', async () => {
  const secret = openSync('/etc/hostname', 'r')
  await using _ = await createPool({ size: 1, plan: { sandbox: true } })
  const [pid] = children()
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  expect(status).toMatch(/^NoNewPrivs:\t1$/m)
  expect(status).toMatch(/^CapPrm:\t0000000000000000$/m)
  const open = readdirSync(`/proc/${pid}/fd`)
  // its three streams, the socket, what tells of signals, and the three file systems whose size it has to tell of
  expect(open.length).toBe(8)
  closeSync(secret)
  await using other = await createPool({ size: 1, plan: { user: '1:1', isolate: 'none' } })
  const second = children().find((one) => one !== pid)
  expect(readFileSync(`/proc/${second}/status`, 'utf8')).toMatch(/^Uid:\t1\t/m)
  // its files in /proc are not its user's: so nobody of that user can trace it
  expect(statSync(`/proc/${second}/environ`).uid).toBe(0)
  expect((await other.run(['id', '-u'])).stdout).toBe('1\n')
})

test('hutch killed by -9 takes what waits along, and the next run removes the groups', async () => {
  const script = `import { createPool } from '${process.cwd()}/dist/index.js'
    const pool = await createPool({ size: 5, plan: { limits: { memory: '64M' } } })
    pool.run(['sleep', '4714'], { stdio: 'ignore' })
    console.log(process.pid)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  const pid = Number(String(line))
  const waiting = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  expect(waiting.length).toBeGreaterThanOrEqual(5)
  // on v1 a sandbox enters its groups by itself
  const isGrouped = (one: string) => readFileSync(`/proc/${one}/cgroup`, 'utf8').includes(`/hutch-${pid}-`)
  await until(() => waiting.every(isGrouped))
  const groups = nearGroups().filter((group) => group.includes(`/hutch-${pid}-`))
  expect(groups).not.toEqual([])
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  await until(() => waiting.every((one) => !existsSync(`/proc/${one}`)))
  // another hutch of the machine may remove them first
  const cli = spawn(hutchFile, [...hutchArgs, 'run', '--', 'true'], { stdio: 'inherit' })
  await once(cli, 'exit')
  await until(() => !groups.some((group) => existsSync(group)))
})
