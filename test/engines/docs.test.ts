// SPDX-License-Identifier: Apache-2.0
// The commands of docs/oci-engines.md, typed as the page has them, with hutch in /usr/local/bin. The page has no others.
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { openCri } from './cri.ts'
import { dockerSettings } from './docker.ts'
import { busyboxLayer, writeImages } from './images.ts'
import { busybox, openPodman } from './podman.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd, openSession, type Session } from './session.ts'

/** Lines of the page that a reader types, without its prompt. */
const typed = [...readFileSync('docs/oci-engines.md', 'utf8').matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line!)
const unseen = new Set(typed)
const installed = '/usr/local/bin/hutch-oci'
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const loop = 'while :; do sleep 1; done'

describe.skipIf(!runtimes.some(({ name }) => name === 'hutch-oci'))('docs/oci-engines.md', () => {
  const runtime = runtimes.find(({ name }) => name === 'hutch-oci')!
  let session: Session | undefined
  afterEach(async () => {
    await session?.close()
    session = undefined
  })

  /** Types a line of the page in the session, or with `changed` what stands for it, and returns its output. */
  const type = (line: string, changed = line) => {
    expect(typed).toContain(line)
    unseen.delete(line)
    return session!.output(['sh', '-c', changed], { env: { PATH: path } })
  }
  const install = async (into: Session) => {
    session = into
    await session.output(['ln', '-s', '/session/lib/hutch', '/usr/local/bin/hutch'])
    await type('hutch links --dir /usr/local/bin hutch-oci')
  }

  test('podman', async () => {
    const { session: own, output } = await openPodman(runtime)
    await install(own)
    await type('mkdir -p /etc/containers/containers.conf.d')
    await type('hutch generate podman >/etc/containers/containers.conf.d/hutch.conf')
    expect(await type("podman info --format '{{.Host.OCIRuntime.Path}}'")).toBe(installed)
    expect(await output(`run --rm ${busybox} echo by default`)).toBe('by default')
    own.write('/etc/containers/containers.conf.d/hutch.conf', '')
    expect(await output(`--runtime ${installed} run --rm ${busybox} echo by flag`)).toBe('by flag')
    const hog = ['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=64M count=1']
    const id = await output(`run -d --memory 16m --memory-swap 16m ${busybox}`, ...hog)
    await output(`wait ${id}`)
    await output(`rm ${id}`)
    expect(await own.output(['hutch', 'why', id])).toMatch(/^1 process was killed \(OOM\): /)
  })

  test('containerd and Kubernetes: a pod of the handler runs over hutch-oci, others over runc', async () => {
    const flag = bySystemd ? ' --systemd-cgroup' : ''
    const cri = await openCri(runtime, async (own) => {
      await install(own)
      return type('hutch generate containerd', `hutch generate containerd${flag}`)
    })
    // kubectl checks a file by its cluster
    const manifest = await type('hutch generate kubernetes | kubectl apply -f -', 'hutch generate kubernetes')
    expect(manifest).toMatch(/^apiVersion: node\.k8s\.io\/v1\nkind: RuntimeClass\nmetadata:\n {2}name: hutch\n/m)
    const handler = /^handler: (.*)$/m.exec(manifest)![1]!
    const list = ['hutch-oci', '--root', '/run/containerd/runc/k8s.io', 'list', '-q']
    const pod = await cri.runPod('classed', 'burstable', {}, handler)
    const container = await cri.runContainer(pod, 'main', loop)
    expect((await cri.session.output(list)).split('\n').toSorted()).toEqual([pod.id, container].toSorted())
    const other = await cri.runPod('plain', 'burstable')
    expect(await cri.session.output(list)).not.toContain(other.id)
    for (const one of [pod, other]) await cri.stop(one)
  })

  test('Docker', async () => {
    session = await openSession('docker', runtime)
    writeImages(session)
    await install(session)
    session.write('/etc/docker/daemon.json', JSON.stringify(dockerSettings))
    await session.daemon(['dockerd'], ['docker', 'version'])
    await session.output(['docker', 'import', busyboxLayer, 'alpine'])
    const generated = JSON.parse(await type('hutch generate docker'))
    session.write('/etc/docker/daemon.json', JSON.stringify({ ...dockerSettings, ...generated }))
    await session.output(['sh', '-c', 'kill -HUP $(cat /var/run/docker.pid)'])
    const known = () => session!.output(['docker', 'info', '--format', '{{json .Runtimes}}'])
    expect(await session.until(known, /hutch-oci/)).toContain(`{"path":"${installed}"`)
    await type('docker run --runtime hutch-oci alpine true')
    expect(await session.output(['ls', '/run/docker/runtime-runc/moby/.ended'])).toMatch(/^[0-9a-f]{64}\.json$/)
  })

  test('Slurm, and no other command', async () => {
    session = await openSession('slurm', runtime)
    await install(session)
    expect(await type('hutch generate slurm')).toContain(`\nRunTimeRun="${installed} `)
    expect([...unseen]).toEqual([])
  })
})
