// SPDX-License-Identifier: Apache-2.0
// Kubernetes' view of each runtime: pods and containers through containerd's CRI, with the limits as the kernel has them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cri, containerGroup, hostNetwork, openCri, type Pod, type Quality } from './cri.ts'
import { waitForGo } from './images.ts'
import { groupOf, readLimits } from './limits.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd } from './session.ts'

const loop = 'trap "exit 5" TERM; echo ready; while :; do sleep 60 & wait $!; done'
const MiB = 1024 * 1024

/** Resources as kubelet computes them for requests and limits of each class. */
const classes: [Quality, object, object, string][] = [
  [
    'guaranteed',
    { cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512, memory_limit_in_bytes: 64 * MiB, oom_score_adj: 999 },
    { quota: '50000', shares: '512', memory: String(64 * MiB) },
    '999',
  ],
  [
    'burstable',
    { cpu_period: 100_000, cpu_quota: 0, cpu_shares: 256, memory_limit_in_bytes: 0, oom_score_adj: 999 },
    { quota: 'max', shares: '256', memory: 'max' },
    '999',
  ],
  [
    'besteffort',
    { cpu_period: 100_000, cpu_shares: 2, oom_score_adj: 1000 },
    { quota: 'max', shares: '2', memory: 'max' },
    '1000',
  ],
]

describe.each(runtimes)('CRI over $name', (runtime) => {
  let cri: Cri
  const info = async (container: string) =>
    JSON.parse((await cri.call('ContainerStatus', { container_id: container, verbose: true })).info.info)
  const pidOf = async (container: string) => String((await info(container)).pid)
  const limitsOf = async (container: string) => readLimits(cri.session, await pidOf(container))
  const log = (pod: string, container: string) => cri.session.read(`/session/logs/${pod}/${container}.log`)
  beforeAll(async () => {
    cri = await openCri(runtime)
  }, 300_000)
  afterAll(() => cri.session.close())

  test.each(classes)('a pod of class %s', async (quality, resources, limits, score) => {
    const pod = await cri.runPod(quality, quality)
    const container = await cri.runContainer(pod, 'main', loop, { resources })
    const pid = await pidOf(container)
    expect(await groupOf(cri.session, pid)).toBe(containerGroup(pod, container))
    expect(await limitsOf(container)).toMatchObject(limits)
    expect(cri.session.read(`/proc/${pid}/oom_score_adj`).trim()).toBe(score)
    await cri.stop(pod)
    expect(await cri.session.output(['find', '/sys/fs/cgroup', '-name', `*${container}*`])).toBe('')
  })

  describe('in one pod', () => {
    let pod: Pod
    beforeAll(async () => {
      pod = await cri.runPod('shared', 'burstable', { sysctls: { 'net.ipv4.ip_default_ttl': '99' } })
    })
    afterAll(() => cri.stop(pod))

    test('ExecSync: output, status, a missing program, a timeout', async () => {
      const container = await cri.runContainer(pod, 'exec', loop)
      expect(await cri.exec(container, 'echo out; echo err >&2; exit 9')).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        status: 9,
      })
      const missing = cri.call('ExecSync', { container_id: container, cmd: ['/missing'] })
      await expect(missing).rejects.toThrow(/no such file or directory/)
      const slow = cri.call('ExecSync', { container_id: container, cmd: ['sleep', '60'], timeout: 1 })
      await expect(slow).rejects.toThrow(/timeout 1s exceeded/)
      expect(await cri.session.until(async () => (await cri.exec(container, 'pidof sleep | wc -w')).stdout, /1/)).toBe(
        '1\n',
      )
      const probes = await Promise.all(Array.from({ length: 8 }, (_, i) => cri.exec(container, `exit ${i}`)))
      expect(probes.map(({ status }) => status)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    })

    test('namespaces and sysctls are the pod’s, the host name too', async () => {
      const one = await cri.runContainer(pod, 'one', loop)
      const two = await cri.runContainer(pod, 'two', loop)
      const script =
        'for kind in net ipc uts; do readlink /proc/self/ns/$kind; done; hostname; cat /proc/sys/net/ipv4/ip_default_ttl'
      const { stdout } = await cri.exec(one, script)
      expect(stdout).toMatch(/shared\n99\n$/)
      expect((await cri.exec(two, script)).stdout).toBe(stdout)
      const pid = 'readlink /proc/self/ns/pid'
      expect((await cri.exec(two, pid)).stdout).not.toBe((await cri.exec(one, pid)).stdout)
    })

    test('StopContainer: SIGTERM, and SIGKILL after the timeout', async () => {
      const kind = await cri.runContainer(pod, 'kind', loop)
      await cri.session.until(() => log('shared', 'kind'), /ready/)
      await cri.call('StopContainer', { container_id: kind, timeout: 20 })
      expect(await cri.ended(kind)).toMatchObject({ exit_code: 5, reason: 'Error' })
      const deaf = await cri.runContainer(pod, 'deaf', 'trap "" TERM; while :; do sleep 1; done')
      await cri.call('StopContainer', { container_id: deaf, timeout: 1 })
      expect(await cri.ended(deaf)).toMatchObject({ exit_code: 137 })
      await cri.call('RemoveContainer', { container_id: deaf })
      await expect(cri.call('ContainerStatus', { container_id: deaf })).rejects.toThrow(/not found/)
    })

    test('the end of a container, and its log', async () => {
      const done = await cri.runContainer(pod, 'done', 'echo out; echo err >&2')
      expect(await cri.ended(done)).toMatchObject({ exit_code: 0, reason: 'Completed' })
      expect(log('shared', 'done')).toMatch(/ stdout F out$/m)
      expect(log('shared', 'done')).toMatch(/ stderr F err$/m)
      await expect(cri.runContainer(pod, 'missing', '', {}, { command: ['/missing'] })).rejects.toThrow(
        /no such file or directory/,
      )
    })

    test('UpdateContainerResources', async () => {
      const resources = { cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512, memory_limit_in_bytes: 64 * MiB }
      const container = await cri.runContainer(pod, 'resized', loop, { resources })
      expect(await limitsOf(container)).toMatchObject({ memory: String(64 * MiB), quota: '50000', shares: '512' })
      const linux = {
        ...resources,
        cpu_quota: 150_000,
        cpu_shares: 1024,
        memory_limit_in_bytes: 128 * MiB,
        cpuset_cpus: '0',
      }
      await cri.call('UpdateContainerResources', { container_id: container, linux })
      const limits = { memory: String(128 * MiB), quota: '150000', shares: '1024', cpus: '0' }
      expect(await limitsOf(container)).toMatchObject(limits)
    })

    test('stats', async () => {
      const container = await cri.runContainer(pod, 'busy', 'while :; do :; done')
      const read = async () => (await cri.call('ContainerStats', { container_id: container })).stats
      const usage = async () => String((await read()).cpu.usage_core_nano_seconds.value)
      expect(Number(await cri.session.until(usage, /^\d{9,}$/))).toBeGreaterThan(99_999_999)
      expect((await read()).memory.working_set_bytes.value).toBeGreaterThan(0)
      await cri.call('StopContainer', { container_id: container, timeout: 0 })
    })

    test('OOMKilled: the first process, and a child', async () => {
      const resources = { memory_limit_in_bytes: 32 * MiB }
      const hog = 'dd if=/dev/zero of=/dev/null bs=128M count=1'
      // containerd watches for it only after the start
      const init = await cri.runContainer(pod, 'oom-init', `${waitForGo}; exec ${hog}`, { resources })
      const child = await cri.runContainer(pod, 'oom-child', `${waitForGo}; ${hog}; exit 3`, { resources })
      for (const container of [init, child]) await cri.exec(container, 'touch /tmp/go')
      // systemd removes the group of an ended container, over runc as well: the shim may then find no count to read
      const reason = bySystemd ? /^(OOMKilled|Error)$/ : /^OOMKilled$/
      const known = bySystemd ? '' : 'OOMKilled'
      const told = { reason: expect.stringMatching(reason) }
      expect(await cri.ended(init, known)).toMatchObject({ exit_code: 137, ...told })
      expect(await cri.ended(child, known)).toMatchObject({ exit_code: 3, ...told })
      if (runtime.name !== 'hutch-oci') return
      // more than containerd says: which limit, the peak, the victim. The kernel's log has the pids of the host, as systemd's callers.
      const ends = {
        [init]: bySystemd ? 'was killed' : 'how it ended is unknown here',
        [child]: 'how it ended is unknown here',
      }
      for (const [container, end] of Object.entries(ends)) {
        const text = await cri.session.output(['hutch', 'why', container])
        expect(text).toMatch(
          /^1 process was killed \(OOM\): container oom-\w+ of pod tests\/shared \(\w+\) asked for more than memory\.max allows\n/,
        )
        expect(text).toMatch(
          bySystemd ? /\n {2}memory\.max +32\.0 MiB/ : /\n {2}memory\.max +32\.0 MiB {3}peak 3[12]\.\d MiB {3}/,
        )
        expect(text).toMatch(/\n {2}victim +.*\(dd\) /)
        expect(text).toMatch(/\n {2}remedy +raise resources\.limits\.memory/)
        expect(text).toMatch(`\n  first process  ${end}`)
      }
    })

    test('the security context', async () => {
      const security_context = {
        run_as_user: { value: 1000 },
        run_as_group: { value: 1000 },
        supplemental_groups: [2000],
        readonly_rootfs: true,
        no_new_privs: true,
        capabilities: { drop_capabilities: ['ALL'] },
        seccomp: { profile_type: 'RuntimeDefault' },
      }
      const strict = await cri.runContainer(pod, 'strict', loop, { security_context })
      const script = 'id -u; id -G; touch /data/x 2>&1; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status'
      expect((await cri.exec(strict, script)).stdout).toBe(
        '1000\n1000 2000\ntouch: /data/x: Read-only file system\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n',
      )
      const open = await cri.runContainer(pod, 'open', loop, { security_context: { privileged: false } })
      expect((await cri.exec(open, 'grep -E "^(CapEff|Seccomp):" /proc/self/status')).stdout).toBe(
        'CapEff:\t00000000a80425fb\nSeccomp:\t0\n',
      )
    })

    test('mounts, devices, environment, directory', async () => {
      cri.session.write('/session/shared/file', 'shared\n')
      const container = await cri.runContainer(
        pod,
        'mounted',
        loop,
        {},
        {
          mounts: [{ container_path: '/shared', host_path: '/session/shared', readonly: true }],
          devices: [{ container_path: '/dev/other', host_path: '/dev/fuse', permissions: 'r' }],
          envs: [{ key: 'NAME', value: 'value' }],
          working_dir: '/data',
        },
      )
      const script =
        'cat /shared/file; touch /shared/x 2>&1; stat -c %t:%T /dev/other; (: >/dev/other); echo $NAME; pwd'
      expect((await cri.exec(container, script)).stdout).toBe(
        'shared\ntouch: /shared/x: Read-only file system\na:e5\nvalue\n/data\n',
      )
    })
  })

  test('a pod with a shared pid namespace, on the host’s network', async () => {
    const pod = await cri.runPod('hostnet', 'besteffort', hostNetwork)
    const container = await cri.runContainer(pod, 'main', loop, hostNetwork)
    expect((await cri.exec(container, 'cat /proc/1/comm')).stdout).toBe('pause\n')
    expect((await cri.exec(container, 'readlink /proc/self/ns/net')).stdout).toBe(
      `${await cri.session.output(['readlink', '/proc/self/ns/net'])}\n`,
    )
    await cri.stop(pod)
  })
})
