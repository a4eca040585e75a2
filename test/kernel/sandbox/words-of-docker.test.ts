// SPDX-License-Identifier: Apache-2.0
// Names, kernel settings, groups and the stop signal of a job, by the words of Docker: on the command line, in the library, in a pool, compiled.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { createPool, type RunOptions, run, start } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const place = workplace()
afterAll(place.remove)

const flags = [
  ...['--isolate', 'all', '--add-host', 'db:10.0.0.5', '--add-host', 'six=[::1]', '--dns', '192.0.2.53'],
  ...['--dns-search', 'example.org', '--dns-option', 'ndots:1', '--sysctl', 'net.ipv4.ip_forward=1'],
  ...['--sysctl', 'kernel.shmmni=77', '--sysctl', 'fs.mqueue.msg_max=5', '--domainname', 'example.net'],
]
const options = {
  isolate: 'all',
  addHosts: ['db:10.0.0.5', 'six=[::1]'],
  dns: '192.0.2.53',
  dnsSearch: ['example.org'],
  dnsOptions: ['ndots:1'],
  sysctls: { 'net.ipv4.ip_forward': 1, 'kernel.shmmni': '77', 'fs/mqueue/msg_max': 5 },
  domainname: 'example.net',
} as const
const files = ['net/ipv4/ip_forward', 'kernel/shmmni', 'fs/mqueue/msg_max', 'kernel/domainname']
const settings = files.map((path) => `/proc/sys/${path}`)
const look = ['sh', '-c', `tail -n 2 /etc/hosts; head -n 3 /etc/resolv.conf; cat ${settings.join(' ')}`]
const wanted =
  '10.0.0.5\tdb\n::1\tsix\nnameserver 192.0.2.53\nsearch example.org\noptions ndots:1\n1\n77\n5\nexample.net\n'
const ofHost = () => [...settings, '/etc/hosts', '/etc/resolv.conf'].map((path) => readFileSync(path, 'utf8'))

test('each front end gives the job its names and settings, and the host keeps its own', async (context) => {
  requires(context, 'root')
  const before = ofHost()
  expect((await hutch(['run', ...flags, '--', ...look])).stdout).toBe(wanted)
  const [command = '', ...args] = look
  expect((await run(command, args, options)).stdout).toBe(wanted)
  // a user namespace of root: the settings of the ipc namespace belong to an id that the caller is not
  expect((await run(command, args, { ...options, sandbox: true })).stdout).toBe(wanted)
  await using pool = await createPool({ size: 1, plan: options })
  expect((await pool.run(look)).stdout).toBe(wanted)
  const file = `${place.path}/compiled`
  expect(await hutch(['compile', '--output', file, ...flags, '--', ...look])).toMatchObject({ status: 0, stderr: '' })
  expect((await collect(file, [])).stdout).toBe(wanted)
  expect(ofHost()).toEqual(before)
})

test('without --add-host and --dns the job reads the files of the host', async () => {
  const { stdout } = await run('cat', ['/etc/hosts'])
  expect(stdout).toBe(readFileSync('/etc/hosts', 'utf8'))
})

test('a root of its own has a file of its own; without a place for the file it is an error', async (context) => {
  requires(context, 'root', 'busybox')
  const image = makeImage(`${place.path}/image`)
  const words = ['--rootfs', image, '--read-only', '--add-host', 'db:10.0.0.5', '--', '/bin/cat', '/etc/hosts']
  const refused = await hutch(['run', ...words])
  expect([refused.status, refused.stderr]).toEqual([125, expect.stringMatching(/\/etc\/hosts does not exist/)])
  expect(refused.stderr).toContain(`touch ${image}/etc/hosts`)
  writeFileSync(`${image}/etc/hosts`, 'of the image\n')
  const { stdout } = await hutch(['run', ...words])
  expect(stdout).toMatch(/^127\.0\.0\.1\tlocalhost\n(.*\n)+10\.0\.0\.5\tdb\n$/)
  expect(readFileSync(`${image}/etc/hosts`, 'utf8')).toBe('of the image\n')
})

test('a user sets net settings; those of ipc belong to root of the user namespace', async (context) => {
  requires(context, 'root')
  const net = ['--network', 'none', '--sysctl', 'net.ipv4.ip_forward=1', '--', 'cat', '/proc/sys/net/ipv4/ip_forward']
  expect((await runAs(65_534, net)).stdout).toBe('1\n')
  const ipc = await runAs(65_534, ['--sysctl', 'kernel.shmmni=77', '--', 'true'])
  expect([ipc.status, ipc.stderr]).toEqual([125, expect.stringMatching(/shmmni(.|\n)*remedy: .*--map-users root/)])
})

test.for([
  [{ sysctls: { 'vm.swappiness': 1 } }, 'no namespace holds this setting'],
  [{ sysctls: { 'net.ipv4.ip_forward': 1 } }, 'without its own net namespace it would change this host'],
  [{ isolate: ['pid'], sysctls: { 'kernel.sem': '1 2 3 4' } }, 'add ipc to isolate'],
  [{ sysctls: { '../../../etc/passwd': 1 } }, 'not the name of a setting'],
  [{ network: 'none', sysctls: { 'net.ipv4.conf.eth9.rp_filter': 1 } }, 'conf/default/rp_filter'],
  [{ network: 'none', sysctls: { 'net.ipv4.ip_forward': 'frog' } }, 'does not accept this value'],
  [{ hostname: 'a', sysctls: { 'kernel.hostname': 'b' } }, 'hostname sets the same'],
  [{ addHosts: 'db:10.0.0.500' }, 'NAME:IP, such as db:10.0.0.5'],
  [{ addHosts: 'db:1.2.3.4', mounts: [{ volume: '/etc/hosts:/etc/hosts' }] }, 'mounts another file at /etc/hosts'],
  [{ dns: 'nowhere' }, 'an IP address'],
  [{ isolate: 'none', dns: '192.0.2.53' }, 'add mount to --isolate'],
  [{ stopSignal: 'FROG' }, 'a signal such as INT'],
  [{ groupAdd: 'no-such-group' }, 'no-such-group'],
] as const)('%j is refused with a reason', async ([options, reason]) => {
  const error: unknown = await run('true', [], options as RunOptions).catch((reason: unknown) => reason)
  expect(String(error)).toContain(reason)
})

test('the command line names its own options in these errors', async () => {
  const refused = async (...words: string[]) => (await hutch(['run', ...words, '--', 'true'])).stderr
  expect(await refused('--sysctl', 'vm.swappiness=1')).toContain('vm.swappiness for --sysctl')
  expect(await refused('--label', 'a=b')).toContain('a job has no labels')
})

test('--group-add adds to the groups of the user, --groups replaces them', async (context) => {
  requires(context, 'root')
  const groups = async (...words: string[]) => (await hutch(['run', ...words, '--', 'id', '-G'])).stdout
  expect(await groups('--user', 'nobody')).toBe('65534\n')
  expect(await groups('--user', 'nobody', '--group-add', '44', '--group-add', '1234')).toBe('65534 44 1234\n')
  expect(await groups('--user', 'nobody', '--groups', '7', '--group-add', '44')).toBe('65534 7 44\n')
  expect(await groups('--sandbox', '--group-add', '44')).toMatch(/^0 44\n$/)
})

const waits = (signal: string) => [
  '-c',
  `trap 'echo ${signal}; exit 3' ${signal}; echo up; while :; do sleep 0.05; done`,
]

test('--stop-signal comes first at a timeout, in each front end', async () => {
  const timeout = process.env.VM ? '5s' : '1s'
  const words = ['--timeout', timeout, '--stop-signal', 'USR1', '--', 'sh', ...waits('USR1')]
  const cli = await hutch(['run', ...words])
  expect([cli.status, cli.stdout, cli.stderr]).toEqual([
    124,
    'up\nUSR1\n',
    expect.stringContaining('sh exited with status 3 on SIGUSR1'),
  ])
  const file = `${place.path}/stopped`
  await hutch(['compile', '--output', file, ...words])
  const compiled = await collect(file, [])
  expect([compiled.status, compiled.stdout, compiled.stderr]).toEqual([
    124,
    'up\nUSR1\n',
    expect.stringContaining('sh exited with status 3 on SIGUSR1'),
  ])
  // the control: SIGTERM ends a shell that waits for SIGUSR1
  const control = await hutch(['run', '--timeout', timeout, '--', 'sh', ...waits('USR1')])
  expect([control.status, control.stdout]).toEqual([124, 'up\n'])
  await using pool = await createPool({ size: 1, plan: { stopSignal: 'SIGUSR1' } })
  const pooled = await pool.run(['sh', ...waits('USR1')], { timeout })
  expect([pooled.stdout, pooled.cause.stopSignal]).toEqual(['up\nUSR1\n', 'SIGUSR1'])
})

test('stop() of a job begins with its stop signal; KILL has no time before it', async () => {
  const job = await start('sh', waits('INT'), { stopSignal: 'INT' })
  await new Promise((resolve) => job.stdout!.once('data', resolve))
  expect(await job.stop()).toMatchObject({ exitCode: 3, cause: { stopSignal: 'SIGINT' } })
  const killed = await run('sleep', ['60'], { stopSignal: 'KILL', timeout: 300 })
  expect(killed.verdict.headline).toContain('sleep was killed at once by SIGKILL')
})
