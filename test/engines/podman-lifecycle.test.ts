// SPDX-License-Identifier: Apache-2.0
// Podman over each runtime: containers in the background from create to rm, exec, signals, limits, pods and builds.
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildLimits } from './images.ts'
import { groupOf, isFrozen, readLimits, twoProcessors } from './limits.ts'
import { busybox, openPodman, type Podman, pauseImage } from './podman.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd } from './session.ts'

const loop = 'trap "echo usr1" USR1; trap "exit 5" TERM; echo ready; while :; do sleep 60 & wait $!; done'
const limits =
  '--memory 64m --memory-swap 64m --memory-reservation 32m --pids-limit 50 --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0'

describe.each(runtimes)('podman over $name', (runtime) => {
  let engine: Podman
  const start = async (name: string, flags = '--net none', script = loop) => {
    await engine.output(`run -d --name ${name} ${flags} ${busybox} sh -c`, script)
    if (script === loop) expect(await engine.session.until(() => engine.output(`logs ${name}`), /ready/)).toBe('ready')
  }
  const remove = (...names: string[]) => engine.output(`rm -f -t 0 ${names.join(' ')}`)
  const status = async (words: string, ...more: string[]) => (await engine.podman(words, { more })).status
  beforeAll(async () => {
    engine = await openPodman(runtime)
  }, 300_000)
  afterAll(() => engine.session.close())

  test('create, start, logs, kill, stop, wait, start again, rm', async () => {
    await engine.output(`create --name life --net none ${busybox} sh -c`, loop)
    expect(await engine.inspect('life', 'State.Status')).toBe('created')
    expect(await engine.output('start life')).toBe('life')
    expect(await engine.session.until(() => engine.output('logs life'), /ready/)).toBe('ready')
    expect(await engine.inspect('life', 'State.Status')).toBe('running')
    await engine.output('kill -s USR1 life')
    expect(await engine.session.until(() => engine.output('logs life'), /usr1/)).toBe('ready\nusr1')
    await engine.output('stop life')
    expect(await engine.output('wait life')).toBe('5')
    expect(await engine.inspect('life', 'State.Status')).toBe('exited')
    expect(await status('kill life')).not.toBe(0)
    await engine.output('start life')
    expect(await engine.inspect('life', 'State.Status')).toBe('running')
    await engine.output('kill life')
    expect(await engine.output('wait life')).toBe('137')
    await engine.output('rm life')
    expect(await engine.output('ps -a --format {{.Names}}')).toBe('')
  })

  test('a container that heeds no signal is killed after the time of stop', async () => {
    await start('deaf', '--net none', 'trap "" TERM; sleep 60')
    await engine.output('stop -t 1 deaf')
    expect(await engine.output('wait deaf')).toBe('137')
    await remove('deaf')
  })

  test('exec: output, status, user, directory, environment, stdin, terminal', async () => {
    await start('target')
    const exec = (flags: string, script: string) =>
      engine.podman(`exec ${flags} target sh -c`.replace('  ', ' '), { more: [script] })
    expect(await exec('', 'echo out; echo err >&2; exit 9')).toEqual({ status: 9, stdout: 'out\n', stderr: 'err\n' })
    const words = await exec('-u worker -w /tmp -e A=b', 'id -un; pwd; echo $A')
    expect(words.stdout).toBe('worker\n/tmp\nb\n')
    const input = await engine.podman('exec -i target cat', { input: 'to cat' })
    expect(input).toEqual({ status: 0, stdout: 'to cat', stderr: '' })
    const terminal = await engine.podman('exec -it target sh -c', { more: ['tty; exit 4'], terminal: true })
    expect([terminal.status, terminal.stdout]).toEqual([4, '/dev/pts/0\r\n'])
    expect((await exec('--privileged', 'grep CapEff /proc/self/status')).stdout).toMatch(/\t000001ff/)
    expect((await exec('', 'grep -E "^(Seccomp|CapEff):" /proc/self/status')).stdout).toBe(
      await engine.output('exec target grep -E', '^(Seccomp|CapEff):', '/proc/1/status').then((text) => `${text}\n`),
    )
    expect((await exec('', 'cat /proc/self/cgroup')).stdout).toBe(
      `${await engine.output('exec target cat /proc/1/cgroup')}\n`,
    )
    await remove('target')
  })

  test('exec: a missing program is 127, one that may not be executed 126, a stopped container an error', async () => {
    await start('target')
    expect(await status('exec target /missing')).toBe(127)
    expect(await status('exec target absent-from-path')).toBe(127)
    expect(await status('exec target /data/plain')).toBe(126)
    await engine.output('exec -d target touch /tmp/detached')
    expect(await engine.session.until(() => engine.output('exec target ls /tmp'), /detached/)).toBe('detached')
    await engine.output('kill target')
    await engine.output('wait target')
    expect(await status('exec target true')).toBe(255)
    await remove('target')
  })

  test('pause and unpause', async () => {
    await start('frozen')
    expect(await status('unpause frozen')).not.toBe(0)
    await engine.output('pause frozen')
    expect(await engine.inspect('frozen', 'State.Status')).toBe('paused')
    expect(await isFrozen(engine.session, await engine.pidOf('frozen'))).toBe(true)
    expect(await status('exec frozen true')).not.toBe(0)
    await engine.output('unpause frozen')
    expect(await isFrozen(engine.session, await engine.pidOf('frozen'))).toBe(false)
    expect(await status('exec frozen true')).toBe(0)
    await engine.output('pause frozen')
    await remove('frozen')
  })

  test('limits are in the kernel’s files, and update changes them', async () => {
    await start('limited', `--net none ${limits}`)
    const read = async () => readLimits(engine.session, await engine.pidOf('limited'))
    const first = {
      memory: '67108864',
      swap: '67108864',
      soft: '33554432',
      pids: '50',
      quota: '50000',
      shares: '512',
      cpus: '0',
    }
    expect(await read()).toEqual(first)
    const cpus = twoProcessors
    await engine.output(
      `update --memory 128m --memory-swap 256m --cpus 0.8 --cpu-shares 256 --cpuset-cpus ${cpus} limited`,
    )
    const second = { memory: '134217728', swap: '268435456', quota: '80000', shares: '256', cpus }
    expect(await read()).toEqual({ ...first, ...second })
    await engine.output('update --memory 32m --memory-swap 32m limited')
    expect(await read()).toEqual({ ...first, ...second, memory: '33554432', swap: '33554432' })
    await remove('limited')
  })

  test('stats and top', async () => {
    await start('watched', '--net none --memory 64m')
    const stats = await engine.output('stats --no-stream --format', '{{.Name}} {{.MemUsage}} {{.PIDs}}', 'watched')
    expect(stats).toMatch(/^watched [\d.]+[kM]B \/ 67.11MB 2$/)
    expect(await engine.output('top watched pid comm')).toMatch(/^PID +COMMAND\n1 +sh\n\d+ +sleep$/)
    await remove('watched')
  })

  test('lack of memory', async () => {
    const words = `run --name greedy --net none --memory 16m --memory-swap 16m ${busybox} dd if=/dev/zero of=/dev/null bs=64M count=1`
    expect(await status(words)).toBe(137)
    // Podman 4.3 looks for this file of conmon 2.1 in another directory, so State.OOMKilled stays false
    const isSeen =
      existsSync(engine.session.path('/oom')) || (await engine.inspect('greedy', 'State.OOMKilled')) === 'true'
    expect(isSeen).toBe(true)
    await remove('greedy')
  })

  test('the number of processes', async () => {
    const outcome = await engine.shell(
      '--net none --pids-limit 5',
      'for i in 1 2 3 4 5 6 7; do sleep 1 & done 2>&1; wait',
    )
    expect([outcome.status, outcome.stdout]).toEqual([2, expect.stringContaining("can't fork")])
  })

  test('a health check', async () => {
    await start('healthy', '--net none --health-cmd true --health-interval disable')
    expect(await status('healthcheck run healthy')).toBe(0)
    await remove('healthy')
    await start('ill', '--net none --health-cmd false --health-interval disable --health-retries 1')
    expect(await status('healthcheck run ill')).toBe(1)
    await remove('ill')
  })

  test('cp and attach', async () => {
    await start('shared', '--net none')
    engine.session.write('/session/to-copy', 'copied\n')
    await engine.output('cp /session/to-copy shared:/data/copy')
    expect(await engine.output('exec shared cat /data/copy')).toBe('copied')
    await engine.output('stop shared')
    const attached = engine.podman('start --attach shared')
    await engine.session.until(() => engine.output('logs shared'), /ready\nready/)
    await engine.output('stop shared')
    expect(await attached).toMatchObject({ status: 5, stdout: 'ready\n' })
    await remove('shared')
  })

  test('restarts', async () => {
    const words = `run --name again --net none --restart on-failure:2 ${busybox} sh -c`
    await engine.podman(words, { more: ['exit 3'] })
    expect(await engine.session.until(() => engine.inspect('again', 'RestartCount'), /2/)).toBe('2')
    await remove('again')
  })

  test('a pod shares namespaces', async () => {
    await engine.output(`pod create --name pod --network none --infra-image ${pauseImage} --infra-command /pause`)
    await engine.output(`run -d --pod pod --name first ${busybox} sh -c`, loop)
    const network = (name: string) => engine.output(`exec ${name} readlink /proc/self/ns/net`)
    await engine.output(`run -d --pod pod --name second ${busybox} sh -c`, loop)
    expect(await network('second')).toBe(await network('first'))
    await engine.output('pod pause pod')
    expect(await engine.inspect('second', 'State.Status')).toBe('paused')
    await engine.output('pod unpause pod')
    await engine.output('pod stop pod')
    expect(await engine.inspect('first', 'State.ExitCode')).toBe('5')
    await engine.output('pod rm -f pod')
    expect(await engine.output('ps -aq')).toBe('')
  })

  test('a build', async () => {
    engine.session.write(
      '/session/build/Containerfile',
      `FROM ${busybox}\nRUN echo built >/data/built && id -u >>/data/built\nUSER worker\nRUN id -un >/tmp/who\nCMD ["cat", "/data/built", "/tmp/who"]\n`,
    )
    await engine.output(`build --isolation oci --network none ${buildLimits} -t local/built /session/build`)
    expect(await engine.output('run --rm --net none local/built')).toBe('built\n0\nworker')
    engine.session.write('/session/build/Containerfile', `FROM ${busybox}\nRUN exit 6\n`)
    expect(await status(`build --isolation oci --network none ${buildLimits} /session/build`)).toBe(6)
  })

  test('many at once', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `many-${i}`)
    const outcomes = await Promise.all(names.map((name) => engine.shell(`--net none --name ${name}`, `echo ${name}`)))
    expect(outcomes.map(({ stdout }) => stdout.trim())).toEqual(names)
  })

  test('of removed containers no group is left', async () => {
    await start('last')
    const group = await groupOf(engine.session, await engine.pidOf('last'))
    expect(group).toMatch(
      bySystemd ? /^\/machine\.slice\/libpod-[0-9a-f]{64}\.scope$/ : /^\/libpod_parent\/libpod-[0-9a-f]{64}$/,
    )
    const find = ['find', '/sys/fs/cgroup', '-name', 'libpod-*', '-not', '-name', 'libpod-conmon-*']
    expect(await engine.session.output(find)).toContain(group)
    await remove('last')
    expect(await engine.session.output(find)).toBe('')
  })
})
