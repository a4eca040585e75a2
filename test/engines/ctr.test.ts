// SPDX-License-Identifier: Apache-2.0
// containerd's ctr over each runtime: the shim's calls without an engine above it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openContainerd } from './containerd.ts'
import { busybox, busyboxArchive } from './images.ts'
import { groupOf, isFrozen, isV2, readLimits } from './limits.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd, type RunOptions, type Session } from './session.ts'

const loop = 'trap "exit 5" TERM; echo ready; while :; do sleep 60 & wait $!; done'

describe.each(runtimes)('ctr over $name', (runtime) => {
  let session: Session
  const ctr = (words: string, more: string[] = [], options: RunOptions = {}) =>
    session.run(['ctr', ...words.split(' '), ...more], options)
  const output = (words: string, ...more: string[]) => session.output(['ctr', ...words.split(' '), ...more])
  /** The words of `ctr run` with the runtime. */
  const run = (flags: string, id: string, command = 'sh -c') => {
    const manager = bySystemd ? `--runc-systemd-cgroup --cgroup machine.slice:ctr:${id}` : ''
    return `run --runc-binary ${session.program} ${manager} ${flags} ${busybox} ${id} ${command}`.replaceAll('  ', ' ')
  }
  const state = async (id: string) => new RegExp(`^${id} +\\d+ +(\\w+)`, 'm').exec(await output('tasks ls'))?.[1]
  const pid = async (id: string) => new RegExp(`^${id} +(\\d+)`, 'm').exec(await output('tasks ls'))![1]!
  const start = async (id: string, flags = '') => {
    await output(run(`--detach ${flags}`.trim(), id), loop)
    expect(await state(id)).toBe('RUNNING')
  }
  const remove = async (id: string) => {
    await ctr(`tasks kill -s KILL ${id}`)
    await session.until(async () => (await state(id)) ?? 'STOPPED', /STOPPED/)
    await ctr(`tasks delete ${id}`)
    await output(`containers delete ${id}`)
  }
  beforeAll(async () => {
    session = await openContainerd('ctr', runtime)
    await output(`images import ${busyboxArchive}`)
  }, 300_000)
  // a test that failed has left it
  afterEach(async () => {
    if ((await output('containers ls -q')).includes('task')) await remove('task')
  })
  afterAll(() => session.close())

  test('run: output and status', async () => {
    const outcome = await ctr(run('--rm', 'task'), ['echo out; echo err >&2; exit 7'])
    expect(outcome).toMatchObject({ status: 7, stdout: 'out\n', stderr: expect.stringContaining('err\n') })
    expect(await output('containers ls -q')).toBe('')
  })

  test('run with a terminal', async () => {
    const { status, stdout } = await ctr(run('--rm --tty', 'task'), ['tty; exit 3'], { terminal: true })
    expect([status, stdout]).toEqual([3, expect.stringMatching(/^\/dev\/pts\/0\r*$/m)])
  })

  test('run: stdin, environment, directory, read-only root, no new privileges', async () => {
    const flags = '--rm --env A=b --cwd /tmp --read-only'
    const script = 'read line; echo $line $A; pwd; touch /data/x 2>&1; grep NoNewPrivs /proc/self/status'
    const { stdout } = await ctr(run(flags, 'task'), [script], { input: 'in\n' })
    expect(stdout).toBe('in b\n/tmp\ntouch: /data/x: Read-only file system\nNoNewPrivs:\t1\n')
  })

  test('run: a mount, a device, capabilities, seccomp, the host’s network', async () => {
    session.write('/session/shared/file', 'shared\n')
    const mount = 'type=bind,src=/session/shared,dst=/shared,options=rbind:ro'
    const flags = `--rm --mount ${mount} --device /dev/fuse --cap-add CAP_SYS_TIME --seccomp --net-host --allow-new-privs`
    const script =
      'cat /shared/file; touch /shared/x 2>&1; stat -c %t:%T /dev/fuse; grep -E "^(CapEff|Seccomp|NoNewPrivs):" /proc/self/status'
    const { stdout } = await ctr(run(flags, 'task'), [script])
    const status = 'CapEff:\t00000000aa0425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n'
    expect(stdout).toBe(`shared\ntouch: /shared/x: Read-only file system\na:e5\n${status}`)
  })

  test('run: a missing program', async () => {
    const { status, stderr } = await ctr(run('--rm', 'task', '/missing'))
    expect([status, stderr]).toEqual([1, expect.stringContaining('no such file or directory')])
    await ctr('containers delete task')
    expect(await output('tasks ls -q')).toBe('')
  })

  test('a task: exec, ps, pause, resume, kill, delete', async () => {
    await start('task')
    const exec = (flags: string, ...words: string[]) => ctr(`tasks exec ${flags} task`, words)
    expect(await exec('--exec-id exec', 'sh', '-c', 'echo out; exit 9')).toMatchObject({ status: 9, stdout: 'out\n' })
    expect(await exec('--exec-id exec --user 1000 --cwd /data', 'sh', '-c', 'id -u; pwd')).toMatchObject({
      stdout: '1000\n/data\n',
    })
    const terminal = await ctr('tasks exec --exec-id exec --tty task', ['sh', '-c', 'tty; exit 4'], { terminal: true })
    expect([terminal.status, terminal.stdout]).toEqual([4, expect.stringMatching(/^\/dev\/pts\/0\r*$/m)])
    const missing = await exec('--exec-id exec', '/missing')
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('no such file or directory')])
    const own = await pid('task')
    expect((await output('tasks ps task')).split('\n').map((line) => line.split(' ')[0])).toEqual([
      'PID',
      own,
      expect.any(String),
    ])
    await output('tasks pause task')
    expect(await state('task')).toBe('PAUSED')
    expect(await isFrozen(session, own)).toBe(true)
    await output('tasks resume task')
    expect(await state('task')).toBe('RUNNING')
    expect(await isFrozen(session, own)).toBe(false)
    await output('tasks kill task')
    expect(await session.until(async () => (await state('task')) ?? '', /STOPPED/)).toBe('STOPPED')
    expect(await ctr('tasks kill task')).toMatchObject({ stderr: expect.stringContaining('process already finished') })
    await output('tasks delete task')
    await output('containers delete task')
  })

  test('limits are in the kernel’s files, and metrics read them', async () => {
    await start('task', '--memory-limit 67108864 --cpu-quota 50000 --cpu-period 100000')
    const own = await pid('task')
    expect(await groupOf(session, own)).toBe(bySystemd ? '/machine.slice/ctr-task.scope' : '/default/task')
    expect(await readLimits(session, own)).toMatchObject({ memory: '67108864', quota: '50000' })
    const metrics = await output('tasks metrics --format json task')
    expect(JSON.parse(metrics)).toMatchObject({
      memory: isV2 ? { usage_limit: 67108864 } : { usage: { limit: 67108864 } },
      pids: { current: 2 },
    })
    await remove('task')
    expect(await session.output(['find', '/sys/fs/cgroup', '-name', bySystemd ? 'ctr-task.scope' : 'task'])).toBe('')
  })

  test('many at once', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `many-${i}`)
    const outcomes = await Promise.all(ids.map((id) => ctr(run('--rm', id), [`echo ${id}`])))
    expect(outcomes.map(({ stdout }) => stdout.trim())).toEqual(ids)
  })
})
