// SPDX-License-Identifier: Apache-2.0
// Images for the callers, made without a registry: busybox, and a pause image, as OCI archives and as plain tars of their root.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { compile } from '../support/compile.ts'
import type { Session } from './session.ts'

/** Names under which the callers have the images. */
export const busybox = 'docker.io/library/busybox:latest'
export const pauseImage = 'docker.io/library/pause:latest'

/** The busybox image as an OCI archive in the session, and its root as a tar. */
export const busyboxArchive = '/session/busybox.tar'
export const busyboxLayer = '/session/busybox-layer.tar'
export const pauseArchive = '/session/pause.tar'

/** Flags for builds, whose default limits a host without CAP_SYS_RESOURCE cannot raise to. */
export const buildLimits = '--ulimit nofile=500:500 --ulimit nproc=500:500'

/** Words of a script that waits until an exec has made this file. */
export const waitForGo = 'until [ -e /tmp/go ]; do sleep 0.05; done'

/** Writes both images into the session's directory. */
export function writeImages(session: Session): void {
  const root = `${session.directory}/image`
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'data', 'usr/bin'])
    mkdirSync(`${root}/${name}`, { recursive: true })
  copyFileSync(session.path('/usr/bin/busybox'), `${root}/bin/busybox`)
  const tools = execFileSync(`${root}/bin/busybox`, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const name of tools) if (name !== 'busybox') symlinkSync('busybox', `${root}/bin/${name}`)
  chmodSync(`${root}/tmp`, 0o1777)
  writeFileSync(`${root}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/data:/bin/sh\n')
  writeFileSync(`${root}/etc/group`, 'root:x:0:\nworker:x:1000:\nextra:x:2000:worker\n')
  writeFileSync(`${root}/data/plain`, 'not a program\n', { mode: 0o644 })
  writeArchive(session, 'busybox', busybox, { Cmd: ['sh'], Env: ['PATH=/usr/bin:/bin'] })
  rmSync(root, { recursive: true })
  mkdirSync(root)
  compile(`${root}/pause`, ['test/engines/programs/pause.c'], ['-static'])
  writeArchive(session, 'pause', pauseImage, { Entrypoint: ['/pause'] })
  rmSync(root, { recursive: true })
}

/** Packs the session's directory `image` as NAME-layer.tar, and an OCI layout with that layer as NAME.tar. */
function writeArchive({ directory }: Session, name: string, reference: string, config: object): void {
  const layer = `${directory}/${name}-layer.tar`
  const stable = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0']
  execFileSync('tar', [...stable, '-C', `${directory}/image`, '-cf', layer, '.'])
  const layout = `${directory}/layout`
  mkdirSync(`${layout}/blobs/sha256`, { recursive: true })
  const blob = (data: Buffer) => {
    const hash = createHash('sha256').update(data).digest('hex')
    writeFileSync(`${layout}/blobs/sha256/${hash}`, data)
    return { digest: `sha256:${hash}`, size: data.length }
  }
  const json = (value: object) => Buffer.from(JSON.stringify(value))
  const type = (kind: string) => `application/vnd.oci.image.${kind}`
  const root = blob(readFileSync(layer))
  const image = blob(
    json({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config,
      history: [{ created_by: 'hutch' }],
      rootfs: { type: 'layers', diff_ids: [root.digest] },
    }),
  )
  const manifest = blob(
    json({
      schemaVersion: 2,
      mediaType: type('manifest.v1+json'),
      config: { mediaType: type('config.v1+json'), ...image },
      layers: [{ mediaType: type('layer.v1.tar'), ...root }],
    }),
  )
  const names = { 'org.opencontainers.image.ref.name': reference, 'io.containerd.image.name': reference }
  const entry = { mediaType: type('manifest.v1+json'), ...manifest, annotations: names }
  writeFileSync(`${layout}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(`${layout}/index.json`, json({ schemaVersion: 2, manifests: [entry] }))
  execFileSync('tar', ['-C', layout, '-cf', `${directory}/${name}.tar`, '.'])
  rmSync(layout, { recursive: true })
}
