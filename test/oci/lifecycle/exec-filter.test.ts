// SPDX-License-Identifier: Apache-2.0
// A process that exec starts has the filter of its container, and no_new_privs only if its own description says so: as over runc.
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeGround, runtimeNames } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }],
}
const args = [
  'sh',
  '-c',
  'mkdir /data/made 2>/dev/null && busybox rmdir /data/made || echo refused; grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status',
]
const lines = (first: string, filter: number, isNew: number) => `${first}NoNewPrivs:\t${isNew}\nSeccomp:\t${filter}\n`

test.for([...runtimeNames])('exec in a container with a filter over %s', (name, context) => {
  requires(context, 'root', 'busybox', ...(name === 'runc' ? (['runc(8)'] as const) : []))
  const ground = makeGround(name)
  try {
    const filtered = ground.started({ 'linux.seccomp': seccomp, 'process.noNewPrivileges': true })
    const file = `${ground.path}/process.json`
    writeFileSync(file, JSON.stringify({ args, cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }))
    expect(ground.call(['exec', filtered, ...args]).stdout).toBe(lines('refused\n', 2, 1))
    expect(ground.call(['exec', '--process', file, filtered]).stdout).toBe(lines('refused\n', 2, 0))
    // the control: a container without a filter
    const plain = ground.started()
    expect(ground.call(['exec', '--process', file, plain]).stdout).toBe(lines('', 0, 0))
    expect(ground.call(['exec', '--no-new-privs', plain, ...args]).stdout).toBe(lines('', 0, 1))
  } finally {
    ground.remove()
  }
})
