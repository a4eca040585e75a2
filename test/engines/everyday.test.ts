// SPDX-License-Identifier: Apache-2.0
// The part of these tests that `npm test` runs, with the callers of this machine: each caller's usual calls once. The other files have the rest.
import { beforeEach, describe, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { containerGroup, openCri } from './cri.ts'
import { busybox } from './images.ts'
import { groupOf, readLimits } from './limits.ts'
import { openPodman } from './podman.ts'
import { runtimes } from './runtimes.ts'
import { needs } from './session.ts'

const loop = 'trap "exit 5" TERM; echo ready; while :; do sleep 60 & wait $!; done'

beforeEach((context) => requires(context, ...needs))

describe.each(runtimes)('over $name', (runtime) => {
  test('podman: run, exec, limits, stop', async () => {
    const { session, shell, output, podman, pidOf } = await openPodman(runtime)
    try {
      const outcome = await shell('--net none', 'echo out; echo err >&2; exit 7')
      expect(outcome).toEqual({ status: 7, stdout: 'out\n', stderr: 'err\n' })
      await output(`run -d --name main --net none --memory 64m --pids-limit 50 ${busybox} sh -c`, loop)
      expect(await readLimits(session, await pidOf('main'))).toMatchObject({ memory: '67108864', pids: '50' })
      expect(await podman('exec main sh -c', { more: ['echo inside; exit 9'] })).toMatchObject({
        status: 9,
        stdout: 'inside\n',
      })
      const group = await groupOf(session, await pidOf('main'))
      expect(await session.until(() => output('logs main'), /ready/)).toBe('ready')
      await output('stop main')
      expect(await output('wait main')).toBe('5')
      await output('rm main')
      expect(await session.output(['find', '/sys/fs/cgroup', '-path', `*${group}`])).toBe('')
    } finally {
      await session.close()
    }
  })

  test('containerd: ctr run, and a pod with its limits, an exec and its end', async () => {
    const { session, call, runPod, runContainer, exec, ended, stop } = await openCri(runtime)
    try {
      const ctr = ['ctr', '-n', 'k8s.io', 'run', '--rm', '--runc-binary', session.program, busybox, 'task']
      expect(await session.run([...ctr, 'sh', '-c', 'echo out; exit 7'])).toMatchObject({ status: 7, stdout: 'out\n' })
      const pod = await runPod('everyday', 'burstable')
      const resources = { cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512, memory_limit_in_bytes: 67_108_864 }
      const container = await runContainer(pod, 'main', loop, { resources })
      const { info } = await call('ContainerStatus', { container_id: container, verbose: true })
      const pid = String(JSON.parse(info.info).pid)
      expect(await groupOf(session, pid)).toBe(containerGroup(pod, container))
      expect(await readLimits(session, pid)).toMatchObject({ memory: '67108864', quota: '50000', shares: '512' })
      expect(await exec(container, 'echo inside; exit 9')).toEqual({ stdout: 'inside\n', stderr: '', status: 9 })
      await session.until(() => session.read('/session/logs/everyday/main.log'), /ready/)
      await call('StopContainer', { container_id: container, timeout: 20 })
      expect(await ended(container)).toMatchObject({ exit_code: 5, reason: 'Error' })
      await stop(pod)
      expect(await session.output(['find', '/sys/fs/cgroup', '-name', `*${container}*`])).toBe('')
    } finally {
      await session.close()
    }
  })
})
