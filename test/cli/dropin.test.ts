// SPDX-License-Identifier: Apache-2.0
// The drop-ins on their own: a course's commands as they are, links, what is hostile, and what v1 makes of v2 names.
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, afterEach, expect, test } from 'vitest'
import { readChildren, removeTree } from '../../src/cgroup/files.ts'
import { dropins } from '../../src/dropin/table.ts'
import { readHost } from '../../src/host/host.ts'
import { hutchLine, hutchPath } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-dropin-test-`)
const host = readHost()
const v1 = host.v1.memory !== undefined
const group = `hutch-test-${process.pid}-demo`
const mounts = [host.unified, ...Object.values(host.v1)].flatMap((one) => (one ? [one.mount] : []))
const mountOf = (controller: string) => host.v1[controller]?.mount ?? host.unified!.mount
const left = () =>
  mounts.flatMap((mount) =>
    readChildren(mount)
      .filter((name) => name.startsWith(group))
      .map((name) => `${mount}/${name}`),
  )

afterEach(() => {
  for (const path of left()) removeTree(path)
})
afterAll(() => rmSync(directory, { recursive: true }))

const done = { status: 0, stdout: '', stderr: '' }

test('the commands of the article run as they are, and print what it shows', async (context) => {
  requires(context, 'root')
  // as on its machine, where systemd lets the root's children have pids
  if (!v1) writeFileSync(`${host.unified!.mount}/cgroup.subtree_control`, '+memory +pids')
  symlinkSync(hutchPath, `${directory}/hutch`)
  const shell = (line: string) =>
    collect('sh', ['-c', line.replaceAll('memhog-demo ', `${group} `).replace(/memhog-demo$/, group)], {
      env: { ...process.env, PATH: `${directory}:${process.env.PATH}` },
    })
  expect(await shell('hutch cgcreate -g memory:memhog-demo')).toEqual(done)
  expect(await shell('hutch cgset -r memory.max=50M memhog-demo')).toEqual(done)
  expect(await shell('hutch cgget -nv -r memory.max memhog-demo')).toEqual({ ...done, stdout: '52428800\n' })
  expect(await shell('hutch cgset -r memory.swap.max=0 memhog-demo')).toEqual(done)
  const { status, stdout, stderr } = await shell('hutch cgexec -g memory:memhog-demo examples/memhog-demo.sh')
  expect({ status, stdout }).toEqual({ status: 137, stdout: '.....'.repeat(10) })
  // bash pads the process id
  expect(stderr.replace(/ +(?=\d{2,} Killed)/g, ' ').replace(/\d{2,}/g, 'N')).toBe(
    'examples/memhog-demo.sh: line 3: N Killed                  hutch hog NM\n'.repeat(10),
  )
  expect((await shell('hutch cgset -r pids.max=5 memhog-demo')).status).toBe(0)
  const forks = await shell(
    "hutch cgexec -g memory:memhog-demo unshare --pid --fork --mount-proc sh -c 'for i in 1 2 3 4 5; do sleep 9 & done'",
  )
  expect(forks.stderr).toMatch(/fork/)
  expect(await shell('hutch cgdelete memory:memhog-demo')).toEqual(done)
  expect(left()).toEqual([])
})

test('cgexec is the command: its pid, signals, arguments and status', async (context) => {
  requires(context, 'root')
  await hutch(['cgcreate', '-g', `pids:${group}`])
  const { status, stdout } = await collect('sh', [
    '-c',
    `exec ${hutchLine} cgexec -g pids:${group} sh -c 'echo $$ $PPID; cut -d" " -f1 /proc/self/stat >/dev/null; grep -c . /proc/$$/task/*/comm; grep Sig[IB] /proc/self/status; kill -USR1 $$'`,
  ])
  expect(status).toBe(null)
  expect(stdout).toMatch(new RegExp(`^\\d+ ${process.pid}\\n1\\nSigBlk:\\t0+\\nSigIgn:\\t0+\\n$`))
})

test('names that lead out of the tree are refused, and nothing is written', async (context) => {
  // 35 calls of what is the same in every layout
  requires(context, 'root', 'not a VM')
  for (const path of [`../${group}`, `${group}/../../x`, `./${group}`, `${group}\nx`, `${group}/\x07`]) {
    for (const args of [
      ['cgcreate', '-g', `pids:${path}`],
      ['cgset', '-r', 'pids.max=5', path],
      ['cgget', '-r', 'pids.max', path],
      ['cgexec', '-g', `pids:${path}`, 'true'],
      ['cgclassify', '-g', `pids:${path}`, '1'],
      ['cgdelete', '-r', `pids:${path}`],
    ]) {
      const { status, stdout, stderr } = await hutch(args)
      expect({ args, status: status === 0, stdout }).toEqual({ args, status: false, stdout: '' })
      expect(stderr).toContain('remedy: ')
      expect(stderr).not.toMatch(/\x07/)
    }
  }
  for (const file of ['../pids.max', 'pids.max/..', 'pids/max.x', 'pids\n.max'])
    expect((await hutch(['cgset', '-r', `${file}=5`, '/'])).status).toBe(129)
  expect((await hutch(['cgdelete', '-r', 'pids:/'])).stderr).toContain('everything on this host is below it')
  expect(left()).toEqual([])
})

test('what cannot be made leaves nothing of it', async (context) => {
  requires(context, 'root')
  const config = `${directory}/half.conf`
  writeFileSync(config, `group ${group} { pids { pids.max = 5; } }\ngroup ${group}-b { pids { pids.max = five; } }\n`)
  const { status, stderr } = await hutch(['cgconfigparser', '-l', config])
  expect(status).toBe(91)
  expect(stderr).toMatch(/^cgconfigparser: cannot set pids.max to five in .*: the kernel refused \(EINVAL\)/)
  expect(left()).toEqual([])
})

test('the line of a configuration that is wrong is named', async () => {
  const config = `${directory}/wrong.conf`
  writeFileSync(config, '# one\ngroup a {\n  pids {\n    pids.max = 5\n  }\n}\n')
  const { status, stderr } = await hutch(['cgconfigparser', '-l', config])
  expect(status).toBe(104)
  expect(stderr).toBe(`cgconfigparser: cannot use ${config}: line 5 has "}"\n  remedy: give ";" there\n`)
})

test('a snapshot is loaded again as it was', async (context) => {
  requires(context, 'root')
  await hutch(['cgcreate', '-g', `pids:${group}/a`, '-a', 'nobody:nogroup'])
  await hutch(['cgset', '-r', 'pids.max=7', `${group}/a`])
  const { stdout } = await hutch(['cgsnapshot', '-s', 'pids'])
  const blocks = stdout.split(/(?<=^\}\n\n)/m).filter((block) => block.startsWith(`group ${group}`))
  expect(blocks.join('')).toContain('pids.max="7"')
  const config = `${directory}/again.conf`
  writeFileSync(config, blocks.join(''))
  expect(await hutch(['cgdelete', '-r', `pids:${group}`])).toEqual(done)
  expect(await hutch(['cgconfigparser', '-l', config])).toEqual(done)
  expect(readFileSync(`${mountOf('pids')}/${group}/a/pids.max`, 'utf8')).toBe('7\n')
  expect(lstatSync(`${mountOf('pids')}/${group}/a`).uid).toBe(65534)
})

test('v1: swap stays what it is when memory moves', async (context) => {
  requires(context, 'root', 'v1 controllers')
  if (!v1) return
  await hutch(['cgcreate', '-g', `memory:${group}`])
  await hutch(['cgset', '-r', 'memory.max=50M', '-r', 'memory.swap.max=10M', group])
  await hutch(['cgset', '-r', 'memory.max=80M', group])
  expect((await hutch(['cgget', '-nv', '-r', 'memory.memsw.limit_in_bytes', group])).stdout).toBe(`${90 * 2 ** 20}\n`)
  await hutch(['cgset', '-r', 'memory.max=20M', group])
  expect((await hutch(['cgget', '-nv', '-r', 'memory.swap.max', '-r', 'memory.max', group])).stdout).toBe(
    `${10 * 2 ** 20}\n${20 * 2 ** 20}\n`,
  )
})

test('v1: what a setting made in another hierarchy follows the group, and goes with it', async (context) => {
  requires(context, 'root', 'v1 controllers')
  if (!v1) return
  await hutch(['cgcreate', '-g', `memory:${group}/a/b`])
  const { status, stderr } = await hutch(['cgset', '-r', 'pids.max=5', `${group}/a/b`])
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: `cgset: made /${group}/a/b in the pids hierarchy too, since pids.max is there; cgexec and cgdelete include it\n`,
  })
  const inside = await hutch([
    'cgexec',
    '-g',
    `memory:${group}/a/b`,
    'grep',
    '-c',
    `:/${group}/a/b$`,
    '/proc/self/cgroup',
  ])
  expect(inside.stdout).toBe('2\n')
  // a group that somebody made there himself is not taken along
  await hutch(['cgcreate', '-g', `cpu:${group}/a/b`])
  expect(await hutch(['cgdelete', '-r', `memory:${group}`])).toEqual(done)
  expect(left()).toEqual([`${mountOf('cpu')}/${group}`])
})

test('v2: a controller that is not enabled is an error that teaches', async (context) => {
  requires(context, 'root', 'v2')
  await hutch(['cgcreate', '-g', `memory:${group}/a`])
  const { status, stderr } = await hutch(['cgset', '-r', 'pids.max=5', `${group}/a`])
  expect(status).toBe(95)
  expect(stderr).toMatch(
    /^cgset: cannot find pids.max in .*\n {2}pids is not enabled for the children of .*\n {2}remedy: hutch cgroup set /,
  )
})

test('lscgroup and lssubsys list both versions', async (context) => {
  requires(context, 'root')
  await hutch(['cgcreate', '-g', `pids:${group}/a`])
  const { stdout } = await hutch(['lscgroup', `pids:${group}`])
  expect(stdout).toMatch(new RegExp(`^[\\w,]*pids[\\w,]*:/${group}/\\n[\\w,]*pids[\\w,]*:/${group}/a\\n$`))
  expect((await hutch(['lssubsys', '-m', 'pids'])).stdout).toMatch(
    new RegExp(`^[\\w,]*pids[\\w,]* ${mountOf('pids')}\\n$`),
  )
  expect((await hutch(['lssubsys', 'nosuch'])).status).toBe(82)
})

test('links are made, used and removed, and never over a file of another', async () => {
  const bin = mkdtempSync(`${directory}/bin-`)
  writeFileSync(`${bin}/cgset`, 'precious')
  const refused = await hutch(['links', '--dir', bin])
  expect(refused).toMatchObject({ status: 125, stdout: '' })
  expect(refused.stderr).toContain(
    `cannot create the link ${bin}/cgset: a file with this name exists that hutch did not create`,
  )
  expect(existsSync(`${bin}/cgget`)).toBe(false)
  rmSync(`${bin}/cgset`)
  expect(await hutch(['links', '--dir', bin])).toEqual(done)
  expect(await hutch(['links', '--dir', bin])).toEqual(done)
  for (const name of Object.keys(dropins)) expect(readlinkSync(`${bin}/${name}`)).toBe(hutchPath)
  const named = await collect(`${bin}/cgget`, ['-h'])
  expect(named.stdout).toMatch(/^Usage: cgget /)
  rmSync(`${bin}/cgget`)
  symlinkSync('/bin/true', `${bin}/cgget`)
  const { stdout } = await hutch(['links', '--dir', bin, '--remove', '--json'])
  expect(JSON.parse(stdout)).toContain(`${bin}/cgexec`)
  expect(await hutch(['links', '--dir', bin, '--remove', '--json'])).toEqual({ ...done, stdout: '[]\n' })
  expect(Object.keys(dropins).filter((name) => lstatSync(`${bin}/${name}`, { throwIfNoEntry: false }))).toEqual([
    'cgget',
  ])
})

test('links of given names leave the other names free', async () => {
  const bin = mkdtempSync(`${directory}/bin-`)
  writeFileSync(`${bin}/unshare`, 'precious')
  expect(await hutch(['links', '--dir', bin, 'hutch-oci', 'lsns'])).toEqual(done)
  expect(readdirSync(bin).toSorted()).toEqual(['hutch-oci', 'lsns', 'unshare'])
  expect(await hutch(['links', '--dir', bin, 'lsns', '--remove'])).toEqual(done)
  expect(readdirSync(bin).toSorted()).toEqual(['hutch-oci', 'unshare'])
  expect(await hutch(['links', '--dir', bin, 'runc'])).toMatchObject({
    status: 125,
    stderr: expect.stringContaining('invalid value runc for NAME'),
  })
})

test.for(Object.keys(dropins))(
  '%s --help says its options, and an unknown one has its status',
  async (name, context) => {
    requires(context, 'not a VM')
    const help = await hutch([name, '--help'])
    expect(help).toMatchObject({ status: 0, stderr: '' })
    expect(help.stdout).toMatch(new RegExp(`^Usage: ${name} `))
    // libcgroup's end with 129, the others with 1
    const status = ['lsns', 'unshare', 'nsenter', 'bwrap', 'hutch-oci'].includes(name) ? 1 : 129
    expect(await hutch([name, '--no-such-option'])).toMatchObject({ status, stdout: '' })
  },
)

test.runIf(v1)('v1: each front end names the missing memory limit as its user sets it', async (context) => {
  requires(context, 'root')
  const path = `${directory}/names.conf`
  writeFileSync(path, `group ${group} {\n  memory {\n    memory.swap.max = 10M;\n  }\n}\n`)
  expect((await hutch(['cgcreate', '-g', `memory:${group}`])).status).toBe(0)
  const calls: [remedy: string, ...args: string[]][] = [
    ['memory.max', 'cgset', '-r', 'memory.swap.max=10M', group],
    ['memory.max', 'cgconfigparser', '-l', path],
    ['memory.max', 'cgroup', 'set', `/${group}`, 'memory.swap.max=10M'],
    ['--memory', 'cgroup', 'create', `/${group}/a`, '--swap', '10M'],
    ['--memory', 'run', '--swap', '10M', 'true'],
  ]
  for (const [option, ...args] of calls) {
    const { stderr } = await hutch(args)
    expect([args[0], stderr]).toEqual([args[0], expect.stringContaining(`\n  remedy: give ${option} too\n`)])
  }
})
