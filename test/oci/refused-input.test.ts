// SPDX-License-Identifier: Apache-2.0
// Input that the runtime refuses: files that cannot be read, values of options, properties that the kernel refuses. Each error is one line
// that names what the caller wrote. Nothing is left.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { containers } from './containers.ts'

beforeEach((context) => requires(context, 'root', 'busybox'))

const { path, oci, bundle, remove } = containers()
afterAll(remove)

/** Runs the runtime, which must fail with one line and leave no container of this ID. */
function refused(status: number, ...words: string[]): string {
  const ended = oci(...words)
  expect({ ...ended, stderr: ended.stderr.split('\n').length }).toEqual({ status, stdout: '', stderr: 2 })
  return ended.stderr
}

describe('in a running container', () => {
  let id: string
  let directory: string
  beforeAll(() => {
    ;({ id, directory } = bundle('running', { 'process.args': ['sleep', '600'] }))
    expect(oci('create', '--bundle', directory, id)).toMatchObject({ status: 0, stderr: '' })
    expect(oci('start', id)).toMatchObject({ status: 0, stderr: '' })
  })

  test('a file that cannot be read is named, with the words of its errno', () => {
    const rows = [
      [1, 'no such file or directory', `${path}/none/config.json`, 'run', '--bundle', `${path}/none`, 'x'],
      [1, 'not a directory', `${directory}/config.json/config.json`, 'create', `-b=${directory}/config.json`, 'x'],
      [255, 'no such file or directory', `${path}/none`, 'exec', '--process', `${path}/none`, id],
      [255, 'is a directory', path, 'exec', '--process', path, id],
      [1, 'no such file or directory', `${path}/none`, 'update', '--resources', `${path}/none`, id],
      [1, 'is a directory', path, 'update', '--resources', path, id],
    ] as const
    for (const [status, words, file, ...call] of rows)
      expect(refused(status, ...call)).toContain(`hutch-oci: ${words}: cannot read ${file}: `)
    const log = `${path}/log`
    refused(1, '--log', log, '--log-format', 'json', 'run', '--bundle', `${path}/none`, 'x')
    const { stdout } = oci('list', '--quiet')
    expect(stdout).toBe(`${id}\n`)
  })

  test.each([
    [['--cap', 'CAP_NONE'], /invalid value CAP_NONE for --cap/],
    [['--cap', 'CAP_KILL,CAP_CHOWN'], /invalid value "CAP_KILL,CAP_CHOWN" for --cap/],
    [['--cwd', 'data'], /invalid value data for --cwd; remedy: give an absolute path/],
    [['--user', '1:2:3'], /for --user/],
    [['--cgroup', 'none'], /invalid value none for --cgroup; remedy: give an existing group; \S+\/none does not exist/],
    [['--cgroup', '../x'], /for --cgroup/],
  ])('exec %j is refused', (flags, words) => {
    expect(refused(255, 'exec', ...flags, id, 'true')).toMatch(words)
  })

  test('an empty value is the same as no option', () => {
    const empty = [
      '--cwd',
      '',
      '--user',
      '',
      '--pid-file',
      '',
      '--apparmor',
      '',
      '--process-label=',
      '--console-socket=',
    ]
    expect(oci('exec', ...empty, id, 'sh', '-c', 'pwd; id -u')).toEqual({ status: 0, stdout: '/\n0\n', stderr: '' })
    expect(oci('--log', `${path}/unused`, '--log=', 'update', '--memory', '', '--cpuset-cpus=', id)).toMatchObject({
      status: 0,
      stderr: '',
    })
    expect(refused(1, '--log', `${path}/unused`, '--log=', 'state', 'none')).toContain('container does not exist')
    expect(existsSync(`${path}/unused`)).toBe(false)
  })

  test.each(['stdin', 'stdout', 'stderr'])('a directory as %s leads out of the root, and is refused', (stream) => {
    const there = openSync(path, 'r')
    const nowhere = openSync('/dev/null', 'r+')
    const files = [nowhere, nowhere, nowhere]
    const stdio = files.with(['stdin', 'stdout', 'stderr'].indexOf(stream), there)
    const { directory: other } = bundle(`streams-${stream}`, { 'process.args': ['true'] })
    for (const [status, ...call] of [
      [1, 'run', '--bundle', other, 'streams'],
      [1, 'create', '--bundle', other, 'streams'],
      [255, 'exec', id, 'true'],
    ] as const) {
      const log = `${path}/log-${stream}`
      const run = (streams: number[]) => {
        const [file = '', ...words] = oci.words('--log', log, ...call)
        return spawnSync(file, words, { stdio: streams, timeout: 30_000 }).status
      }
      expect(run(stdio)).toBe(status)
      expect(readFileSync(log, 'utf8')).toContain(`cannot use a directory as ${stream}`)
      rmSync(log)
      expect([call[0], run(files)]).toEqual([call[0], 0])
      oci('delete', '--force', 'streams')
    }
    for (const fd of [there, nowhere]) closeSync(fd)
  })

  test('an empty signal is SIGTERM', () => {
    const waits = bundle('ended', { 'process.args': ['sh', '-c', 'trap "exit 7" TERM; sleep 60 & wait'] })
    expect(oci('create', '--bundle', waits.directory, waits.id)).toMatchObject({ status: 0 })
    expect(oci('start', waits.id)).toMatchObject({ status: 0 })
    expect(oci('kill', waits.id, '')).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})

const userNamespace = {
  'linux.namespaces': ['mount', 'pid', 'user'].map((type) => ({ type })),
  // more ids than there are
  'linux.uidMappings': [{ containerID: 0, hostID: 4294967000, size: 1000 }],
  'linux.gidMappings': [{ containerID: 0, hostID: 0, size: 1000 }],
}
const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 5 }
const device = { path: '/data/there', type: 'c', major: 1, minor: 3 }

test.each([
  ['device', { 'linux.devices': [device] }, /cannot create the device file \/data\/there: .*linux\.devices\[0\]/],
  ['ids', userNamespace, /cannot map the ids .* requested by linux\.uidMappings/],
  ['filter', { 'linux.seccomp': seccomp }, /cannot use linux\.seccomp: defaultErrnoRet is 5/],
  ['group', { 'linux.cgroupsPath': '/..' }, /invalid value \/\.\. for linux\.cgroupsPath/],
])('a refused %s is named by its property', (name, changes, words) => {
  const { id, directory } = bundle(name, { 'process.args': ['true'], ...changes })
  writeFileSync(`${directory}/image/data/there`, '')
  const line = refused(1, 'run', '--bundle', directory, id)
  expect(line).toMatch(words)
  expect(line).not.toMatch(/ --\w|\\x0a/)
})

test('/ as a read-only path is the whole root', () => {
  const writes = { 'process.args': ['sh', '-c', 'touch /data/x && echo written'] }
  const run = (name: string, changes: { [path: string]: unknown }) => {
    const { id, directory } = bundle(name, { ...writes, ...changes })
    return oci('run', '--bundle', directory, id)
  }
  expect(run('writable', { 'linux.readonlyPaths': ['/proc/sys'] })).toMatchObject({ status: 0, stdout: 'written\n' })
  for (const [i, whole] of ['/', '//', '/.'].entries()) {
    const { status, stderr } = run(`whole-${i}`, { 'linux.readonlyPaths': [whole] })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/Read-only file system/) })
  }
})

test('HOME comes from the file that the container sees as /etc/passwd', () => {
  const proc = { destination: '/proc', type: 'proc', source: 'proc' }
  const binds = (destination: string, source: string) => ({ destination, source, type: 'bind', options: ['bind'] })
  const home = (name: string, ...mounts: object[]) => {
    const words = { 'process.args': ['sh', '-c', 'echo $HOME'], mounts: [proc, ...mounts] }
    const { id, directory } = bundle(name, words)
    writeFileSync(`${directory}/image/etc/passwd`, 'root:x:0:0::/image:/bin/sh\n')
    mkdirSync(`${directory}/etc`)
    writeFileSync(`${directory}/etc/passwd`, 'root:x:0:0::/mounted:/bin/sh\n')
    return oci('run', '--bundle', directory, id)
  }
  const shows = (stdout: string) => ({ status: 0, stdout: `${stdout}\n`, stderr: '' })
  expect(home('image')).toEqual(shows('/image'))
  expect(home('file', binds('/etc/passwd', 'etc/passwd'))).toEqual(shows('/mounted'))
  expect(home('directory', binds('/etc', 'etc'))).toEqual(shows('/mounted'))
  expect(home('last', binds('/etc', 'etc'), { destination: '/etc', type: 'tmpfs', source: 'tmpfs' })).toEqual(
    shows('/'),
  )
})
