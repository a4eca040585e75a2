// SPDX-License-Identifier: Apache-2.0
// Slurm over each runtime: jobs with a bundle, run, signalled and deleted by the command lines that Slurm documents for oci.conf.
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hutch } from '../cli/hutch.ts'
import { busyboxLayer, writeImages } from './images.ts'
import { runtimes } from './runtimes.ts'
import { openSession, type RunOptions, type Session, suite } from './session.ts'

/** Slurm looks for an address that is not of the loopback interface. */
const network = `ip link add slurm type veth peer name other && ip addr add 10.91.0.1/24 dev slurm
ip link set slurm up && ip link set other up && hostname node && printf '127.0.0.1 localhost\\n10.91.0.1 node\\n' >/etc/hosts`

/** Settings of a cluster that is one node, described as slurmd describes this machine. */
const settings = (node: string) => `ClusterName=tests
SlurmctldHost=node(10.91.0.1)
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SlurmUser=root
StateSaveLocation=/tmp/slurmctld
SlurmdSpoolDir=/tmp/slurmd
${node} NodeAddr=10.91.0.1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
`

/** Where root's containers are, and `%U` in the commands is the user. */
const states = '/run/user/0/hutch-oci'

const container = '%n.%u.%j.%s.%t'
/** What `hutch generate slurm` prints, with another runtime the commands that Slurm documents for it. */
async function commands({ program, runtime: { name } }: Session): Promise<string> {
  if (name === 'hutch-oci') return (await hutch(['generate', 'slurm', '--runtime', program])).stdout
  const runtime = `${program} --rootless=true --root=${states.replace('/0/', '/%U/')}`
  return `RunTimeQuery="${runtime} state ${container}"
RunTimeKill="${runtime} kill -a ${container}"
RunTimeDelete="${runtime} delete --force ${container}"
RunTimeRun="${runtime} run ${container} -b %b"
`
}

// Debian 12's slurmstepd ends before it reads a bundle, over runc, too
describe.skipIf(suite === 'bookworm').each(runtimes)('Slurm over $name', (runtime) => {
  let session: Session
  const srun = (flags: string, script: string, options?: RunOptions) =>
    session.run(['srun', '--container=/session/bundle', ...flags.split(' '), '/bin/sh', '-c', script], options)
  /** Names of the runtime's containers. */
  const containers = () =>
    readdirSync(session.path(states))
      .filter((name) => !name.startsWith('.'))
      .join()
  beforeAll(async () => {
    session = await openSession('slurm', runtime)
    writeImages(session)
    const unpack = `mkdir -p /session/bundle/rootfs && tar -C /session/bundle/rootfs -xf ${busyboxLayer}`
    const directories = `mkdir -p /tmp/slurmctld /tmp/slurmd ${states} && cd /session/bundle && runc spec`
    await session.output(['sh', '-ec', `${network}\n${unpack}\n${directories}`])
    const [node] = (await session.output(['slurmd', '-C'])).split('\n')
    session.write('/etc/slurm/slurm.conf', settings(node!))
    session.write('/etc/slurm/oci.conf', await commands(session))
    session.write('/etc/slurm/cgroup.conf', 'CgroupPlugin=disabled\n')
    await session.daemon(['slurmctld', '-D'], ['scontrol', 'ping'])
    await session.daemon(['slurmd', '-D'], ['sh', '-c', 'sinfo -h -t idle | grep -q node'])
  }, 300_000)
  afterAll(() => session.close())

  test('a job: output, status, directory, environment', async () => {
    const { status, stdout } = await srun('-J job', 'echo $SLURM_JOB_NAME; pwd; hostname; exit 3')
    expect([status, stdout]).toEqual([3, 'job\n/\nrunc\n'])
    expect(await session.until(containers, /^$/)).toBe('')
  })

  test('stdin, and two tasks at once', async () => {
    expect((await srun('-J in', 'cat', { input: 'hello' })).stdout).toBe('hello')
    expect((await srun('-n 2 --overcommit', 'echo task')).stdout).toBe('task\ntask\n')
  })

  test('a cancelled job gets SIGTERM and is gone', async () => {
    const script = 'trap "echo stopped; exit 5" TERM; echo ready; while :; do sleep 1; done'
    const job = srun('-J long', script)
    expect(await session.until(containers, /^node\.root\.\d+\.0\.0$/)).toMatch(/^node/)
    const state = ['sh', '-c', `${session.program} --root ${states} state ${containers()}`]
    expect(await session.until(async () => (await session.run(state)).stdout, /running/)).toContain('"running"')
    await session.output(['scancel', '-n', 'long'])
    const { status, stdout } = await job
    expect([status, stdout]).toEqual([143, 'ready\nstopped\n'])
    expect(await session.until(containers, /^$/)).toBe('')
  })
  // Slurm reads the output of RunTimeCreate to its end before it starts the container, which has that output: over any
  // runtime it waits for ever, unless the output goes elsewhere.
  test('create and start in place of run: the status is that of start', async () => {
    const runtime = `${session.program} --rootless=true --root=${states}`
    const run = (await commands(session)).replace(/^RunTimeRun=.*\n/m, '')
    const create = `RunTimeCreate="${runtime} create ${container} -b %b </dev/null >/session/created 2>&1"\n`
    session.write('/etc/slurm/oci.conf', `${run}${create}RunTimeStart="${runtime} start ${container}"\n`)
    await session.output(['scontrol', 'reconfigure'])
    const { status } = await srun('-J started', 'echo $SLURM_JOB_NAME; exit 3')
    expect([status, session.read('/session/created')]).toEqual([0, 'started\n'])
    expect(await session.until(containers, /^$/)).toBe('')
  })
})
