// SPDX-License-Identifier: Apache-2.0
// The configurations that hutch generate prints. test/engines has the programs' own checks.
import { expect, test } from 'vitest'
import { engines } from '../../../src/oci/engine-config.ts'

const options = { runtime: '/opt/a "b"/hutch-oci', systemdCgroup: false, version: 2 } as const
const text = (name: string, more = {}) => engines[name]!.format({ ...options, ...more })

test('a path with spaces and quotation marks is one string', () => {
  for (const name of ['podman', 'containerd', 'crio', 'docker'])
    expect([name, text(name)]).toEqual([name, expect.stringContaining('"/opt/a \\"b\\"/hutch-oci"')])
  expect(JSON.parse(text('docker'))).toEqual({ runtimes: { 'hutch-oci': { path: options.runtime } } })
})

test('podman reads its errors as JSON, under the name of the file', () => {
  expect(text('podman', { runtime: '/x/oci-two' })).toMatch(
    /\nruntime = "oci-two"\n(?:.*\n)*runtime_supports_json = \[.*"runc".*, "oci-two"\]\n(?:.*\n)*"oci-two" = \["\/x\/oci-two"\]\n/,
  )
})

test('containerd gets the section of runc, too, in both formats', () => {
  expect(text('containerd')).toMatch(
    /^version = 2\n(?:.*\n)*\[plugins\."io\.containerd\.grpc\.v1\.cri"\.containerd\.runtimes\.runc\]\n/,
  )
  expect(text('containerd', { version: 3 })).toMatch(
    /^version = 3\n(?:.*\n)*\[plugins\.'io\.containerd\.cri\.v1\.runtime'\.containerd\.runtimes\.hutch\]\n/,
  )
  expect(text('containerd', { systemdCgroup: true }).match(/SystemdCgroup = true/g)).toHaveLength(2)
  expect(text('kubernetes')).toMatch(/\nhandler: hutch\n$/)
})
