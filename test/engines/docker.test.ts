// SPDX-License-Identifier: Apache-2.0
// Docker over each runtime: run, exec, update, stats, stop, a build, and a service of a one-node swarm.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputs } from '../../src/advise/outputs.ts'
import { requires } from '../support/requires.ts'
import { dockerSettings } from './docker.ts'
import { busyboxLayer, waitForGo, writeImages } from './images.ts'
import { groupOf, isFrozen, pidsLine, readLimits, twoProcessors } from './limits.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd, firstProcess, openSession, type RunOptions, type Session, suite } from './session.ts'

const image = 'busybox'
const loop = 'trap "echo usr1" USR1; trap "exit 5" TERM; echo ready; while :; do sleep 60 & wait $!; done'
const limits =
  '--memory 64m --memory-swap 64m --memory-reservation 32m --pids-limit 50 --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0'

/** Flags of `docker run`, a script, and what it prints. */
const rows: [flags: string, script: string, stdout: string][] = [
  ['-e NAME=value --hostname inner --workdir /data', 'echo $NAME; hostname; pwd', 'value\ninner\n/data\n'],
  ['--user worker', 'id', 'uid=1000(worker) gid=1000(worker) groups=1000(worker),2000(extra)\n'],
  [
    '--cap-drop all --cap-add net_admin',
    'grep -E "Cap(Prm|Eff|Bnd)" /proc/self/status | cut -f 2 | uniq',
    '0000000000001000\n',
  ],
  [
    '--security-opt no-new-privileges',
    'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status',
    'NoNewPrivs:\t1\nSeccomp:\t2\n',
  ],
  ['--security-opt seccomp=unconfined', 'grep ^Seccomp: /proc/self/status', 'Seccomp:\t0\n'],
  [
    '--read-only --tmpfs /mem:size=1m',
    'touch /data/x 2>&1; df -k /mem | tail -n 1 | awk "{print \\$2}"',
    'touch: /data/x: Read-only file system\n1024\n',
  ],
  [
    '-v /session/shared:/shared:ro',
    'cat /shared/file; touch /shared/x 2>&1',
    'shared\ntouch: /shared/x: Read-only file system\n',
  ],
  ['--ulimit nofile=1000:2000', 'ulimit -Sn; ulimit -Hn', '1000\n2000\n'],
  ['--oom-score-adj 500', 'cat /proc/self/oom_score_adj', '500\n'],
  ['--sysctl net.ipv4.ip_default_ttl=99', 'cat /proc/sys/net/ipv4/ip_default_ttl', '99\n'],
  [
    '--device /dev/fuse:/dev/other:r',
    'stat -c %t:%T /dev/other; : </dev/other && echo read; : >/dev/other',
    'a:e5\nread\n',
  ],
  ['--init', 'cat /proc/1/comm', 'docker-init\n'],
  ['--pid host --uts host --ipc host', 'head -n 1 /proc/1/comm', `${firstProcess}\n`],
  ['--cgroupns private', `grep ${pidsLine} /proc/self/cgroup | cut -d : -f 3`, '/\n'],
]

describe.each(runtimes)('docker over $name', (runtime) => {
  let session: Session
  const docker = (words: string, more: string[] = [], options: RunOptions = {}) =>
    session.run(['docker', ...words.split(' '), ...more], options)
  const output = (words: string, ...more: string[]) => session.output(['docker', ...words.split(' '), ...more])
  const inspect = (name: string, property: string) => output(`inspect --format {{.${property}}} ${name}`)
  const shell = (flags: string, script: string, options?: RunOptions) =>
    docker(`run --rm --net none ${flags} ${image} sh -c`.replace('  ', ' '), [script], options)
  const start = async (name: string, flags = '') => {
    await output(`run -d --net none --name ${name} ${flags} ${image} sh -c`.replace('  ', ' '), loop)
    expect(await session.until(() => output(`logs ${name}`), /ready/)).toBe('ready')
  }
  const remove = (name: string) => output(`rm -f ${name}`)
  const pidOf = (name: string) => inspect(name, 'State.Pid')
  beforeAll(async () => {
    session = await openSession('docker', runtime)
    writeImages(session)
    session.write('/session/shared/file', 'shared\n')
    const settings = {
      runtimes: { tested: { path: session.program } },
      'default-runtime': 'tested',
      ...dockerSettings,
    }
    session.write('/etc/docker/daemon.json', JSON.stringify(settings))
    await session.daemon(['dockerd'], ['docker', 'version'])
    await output(`import -c`, 'CMD ["sh"]', '-c', 'ENV PATH=/usr/bin:/bin', busyboxLayer, image)
  }, 300_000)
  afterAll(() => session.close())

  test.each(rows)('docker run %s: %s', async (flags, script, stdout) => {
    expect(await shell(flags, script)).toMatchObject({ stdout })
  })

  test('docker accepts the flags that hutch advise writes', async () => {
    const resources = { memoryRequest: 32 << 20, memoryLimit: 64 << 20, milliLimit: 500, pidsLimit: 50 }
    const command = ['sh', '-c', 'true']
    const line = outputs.docker!({ resources, command, name: 'advised', image, replicas: 1 })
    await output(line.trim().replace('docker run', 'create --net none --name advised'))
    const fields = ['Memory', 'MemorySwap', 'MemoryReservation', 'NanoCpus', 'PidsLimit']
    const found = await Promise.all(fields.map((field) => inspect('advised', `HostConfig.${field}`)))
    await remove('advised')
    expect(found).toEqual([`${64 << 20}`, `${64 << 20}`, `${32 << 20}`, '500000000', '50'])
  })

  test('docker run --privileged', async (context) => {
    // dockerd asks for all capabilities, also those that it has not itself
    requires(context, 'CAP_SYS_RESOURCE')
    const { status, stdout } = await shell('--privileged', 'mount -t tmpfs x /tmp && echo mounted')
    expect([status, stdout]).toEqual([0, 'mounted\n'])
  })

  test('output, status, stdin, terminal', async () => {
    expect(await shell('-i', 'cat; echo err >&2; exit 7', { input: 'in' })).toEqual({
      status: 7,
      stdout: 'in',
      stderr: 'err\n',
    })
    const terminal = await shell('-it', 'tty; exit 3', { terminal: true })
    expect([terminal.status, terminal.stdout]).toEqual([3, '/dev/pts/0\r\n'])
  })

  test('a missing program is 127, a file that is not a program 126', async () => {
    const missing = await docker(`run --rm --net none ${image} /missing`)
    expect([missing.status, missing.stderr]).toEqual([127, expect.stringContaining('no such file or directory')])
    const other = await docker(`run --rm --net none ${image} absent-from-path`)
    expect([other.status, other.stderr]).toEqual([127, expect.stringContaining('executable file not found in $PATH')])
    const plain = await docker(`run --rm --net none ${image} /data/plain`)
    expect([plain.status, plain.stderr]).toEqual([126, expect.stringContaining('permission denied')])
  })

  test('create, start, kill, stop, wait, restart, rm', async () => {
    await output(`create --net none --name life ${image} sh -c`, loop)
    expect(await inspect('life', 'State.Status')).toBe('created')
    await output('start life')
    expect(await session.until(() => output('logs life'), /ready/)).toBe('ready')
    await output('kill -s USR1 life')
    expect(await session.until(() => output('logs life'), /usr1/)).toBe('ready\nusr1')
    await output('stop life')
    expect(await output('wait life')).toBe('5')
    expect(await inspect('life', 'State.Status')).toBe('exited')
    await output('start life')
    await output('restart life')
    expect(await inspect('life', 'State.Status')).toBe('running')
    await output('kill life')
    expect(await output('wait life')).toBe('137')
    await output('rm life')
    expect(await output('ps -aq')).toBe('')
  })

  test('exec', async () => {
    await start('target')
    const exec = (flags: string, ...words: string[]) => docker(`exec ${flags} target`.replace('  ', ' '), words)
    expect(await exec('', 'sh', '-c', 'echo out; echo err >&2; exit 9')).toEqual({
      status: 9,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    const words = await exec('-u worker -w /tmp -e A=b', 'sh', '-c', 'id -un; pwd; echo $A')
    expect(words.stdout).toBe('worker\n/tmp\nb\n')
    expect((await docker('exec -i target cat', [], { input: 'to cat' })).stdout).toBe('to cat')
    const terminal = await docker('exec -it target sh -c', ['tty; exit 4'], { terminal: true })
    expect([terminal.status, terminal.stdout]).toEqual([4, '/dev/pts/0\r\n'])
    expect((await exec('', '/missing')).status).toBe(suite === 'bookworm' ? 126 : 127)
    // dockerd does not know crun's text
    expect((await exec('', '/data/plain')).status).toBe(runtime.name === 'crun' ? 128 : 126)
    await remove('target')
  })

  test('pause, top and stats', async () => {
    await start('frozen', '--memory 64m')
    await output('pause frozen')
    expect(await inspect('frozen', 'State.Status')).toBe('paused')
    expect(await isFrozen(session, await pidOf('frozen'))).toBe(true)
    await output('unpause frozen')
    expect(await isFrozen(session, await pidOf('frozen'))).toBe(false)
    expect(await output('top frozen -o pid,comm')).toMatch(/^PID +COMMAND\n\d+ +sh\n\d+ +sleep$/)
    const stats = await output('stats --no-stream --format', '{{.Name}} {{.MemUsage}} {{.PIDs}}', 'frozen')
    expect(stats).toMatch(/^frozen [\d.]+[KM]iB \/ 64MiB 2$/)
    await remove('frozen')
  })

  test('limits are in the kernel’s files, and update changes them', async () => {
    await start('limited', limits)
    const read = async () => readLimits(session, await pidOf('limited'))
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
    await output(
      `update --memory 128m --memory-swap 256m --cpus 0.8 --cpu-shares 256 --cpuset-cpus ${cpus} --pids-limit 60 limited`,
    )
    const second = { memory: '134217728', swap: '268435456', pids: '60', quota: '80000', shares: '256', cpus }
    expect(await read()).toEqual({ ...first, ...second })
    const group = await groupOf(session, await pidOf('limited'))
    expect(group).toMatch(bySystemd ? /^\/system\.slice\/docker-[0-9a-f]{64}\.scope$/ : /^\/docker\/[0-9a-f]{64}$/)
    await remove('limited')
    expect(await session.output(['find', '/sys/fs/cgroup', '-path', `*${group}`])).toBe('')
  })

  test('lack of memory', async () => {
    const hog = 'dd if=/dev/zero of=/dev/null bs=64M count=1'
    const flags = '--net none --memory 16m --memory-swap 16m'
    expect((await docker(`run --rm ${flags} ${image} ${hog}`)).status).toBe(137)
    // dockerd must have seen the lack of memory before the end, and watches for it only after the start
    await output(`run -d --name greedy ${flags} ${image} sh -c`, `${waitForGo}; ${hog}; sleep 60`)
    await output('exec greedy touch /tmp/go')
    const events = () =>
      output('events --since 0 --until 0s --filter container=greedy --filter event=oom --format {{.Status}}')
    expect(await session.until(events, /oom/)).toMatch(/^oom$/m)
    await output('kill greedy')
    expect(await inspect('greedy', 'State.OOMKilled')).toBe('true')
    await remove('greedy')
  })

  test('a restart policy', async () => {
    await docker(`run -d --name again --net none --restart on-failure:2 ${image} sh -c`, ['exit 3'])
    expect(await session.until(() => inspect('again', 'RestartCount'), /2/)).toBe('2')
    await remove('again')
  })

  test('a build', async () => {
    const file = `FROM ${image}\nRUN echo built >/data/built && id -u >>/data/built\nUSER worker\nRUN id -un >/tmp/who\nCMD ["cat", "/data/built", "/tmp/who"]\n`
    session.write('/session/build/Dockerfile', file)
    const build = (kit: string, words: string) =>
      docker(`build --network none ${words} /session/build`, [], { env: { DOCKER_BUILDKIT: kit } })
    expect((await build('0', '-t built')).status).toBe(0)
    expect(await output('run --rm --net none built')).toBe('built\n0\nworker')
    expect((await build('1', '--no-cache -t again')).status).toBe(0)
    expect(await output('run --rm --net none again')).toBe('built\n0\nworker')
    session.write('/session/build/Dockerfile', `FROM ${image}\nRUN exit 6\n`)
    expect((await build('0', '--force-rm')).status).toBe(6)
  })

  test('a service of a swarm: two replicas with limits', async () => {
    await output('swarm init --advertise-addr 127.0.0.1')
    const resources = '--limit-memory 64m --limit-cpu 0.5 --limit-pids 50'
    const flags = `--replicas 2 --network host --detach --no-resolve-image ${resources}`
    await output(`service create --name service ${flags} ${image} sh -c`, loop)
    const ids = () => output('ps -q --filter label=com.docker.swarm.service.name=service --filter status=running')
    expect(await session.until(ids, /\S+\n\S+/)).toMatch(/^\w+\n\w+$/)
    for (const id of (await ids()).split('\n')) {
      const limits = { memory: '67108864', quota: '50000', pids: '50' }
      expect(await readLimits(session, await pidOf(id))).toMatchObject(limits)
    }
    await output('service scale --detach service=1')
    expect(await session.until(ids, /^\w+$/)).toMatch(/^\w+$/)
    await output('service rm service')
    expect(await session.until(ids, /^$/)).toBe('')
    await output('swarm leave --force')
  })

  test('many at once', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `many-${i}`)
    const outcomes = await Promise.all(names.map((name) => shell(`--name ${name}`, `echo ${name}`)))
    expect(outcomes.map(({ stdout }) => stdout.trim())).toEqual(names)
  })
})
