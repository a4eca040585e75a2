// SPDX-License-Identifier: Apache-2.0
// The typed values and the catalogue name the same files; what cannot be written has no type to write. Checked by the compiler.
import { expectTypeOf, test } from 'vitest'
import type { core } from '../../../src/cgroup/controllers/core.ts'
import type { cpu } from '../../../src/cgroup/controllers/cpu.ts'
import type { cpuset } from '../../../src/cgroup/controllers/cpuset.ts'
import type { dmem } from '../../../src/cgroup/controllers/dmem.ts'
import type { io } from '../../../src/cgroup/controllers/io.ts'
import type { memory } from '../../../src/cgroup/controllers/memory.ts'
import type { misc } from '../../../src/cgroup/controllers/misc.ts'
import type { pids } from '../../../src/cgroup/controllers/pids.ts'
import type { rdma } from '../../../src/cgroup/controllers/rdma.ts'
import type { FileInputs, FileValues, ReadableFile, SizeInput, WritableFile } from '../../../src/cgroup/file-values.ts'
import type { CpuMax, FilePressure } from '../../../src/cgroup/value-read.ts'
import type { Limit } from '../../../src/text/units.ts'

type Catalog = typeof core &
  typeof cpu &
  typeof cpuset &
  typeof io &
  typeof memory &
  typeof pids &
  typeof rdma &
  typeof misc &
  typeof dmem

/** Names of the files whose access ends, or begins, so; dmem's limits are built by a function and have it too. */
type With<Access extends string> = {
  [file in keyof Catalog]: Catalog[file]['access'] extends Access ? file : never
}[keyof Catalog]

type Hugetlb = `hugetlb.${string}`

test('every file of the catalogue that can be read has a type, and no other', () => {
  expectTypeOf<Exclude<ReadableFile, Hugetlb>>().toEqualTypeOf<With<'read' | 'read-write'>>()
})

test('every file of the catalogue that can be written has a type, and no other', () => {
  expectTypeOf<Exclude<WritableFile, Hugetlb>>().toEqualTypeOf<With<'write' | 'read-write'>>()
})

test('values are typed by file', () => {
  expectTypeOf<FileValues['memory.max']>().toEqualTypeOf<Limit>()
  expectTypeOf<FileValues['memory.stat']['anon']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<FileValues['cpu.max']>().toEqualTypeOf<CpuMax>()
  expectTypeOf<FileValues['io.pressure']>().toEqualTypeOf<FilePressure>()
  expectTypeOf<FileValues['hugetlb.2MB.max']>().toEqualTypeOf<Limit>()
  expectTypeOf<FileValues['hugetlb.2MB.rsvd.current']>().toEqualTypeOf<number>()
  expectTypeOf<FileInputs['memory.max']>().toEqualTypeOf<SizeInput>()
  expectTypeOf<{ '8:0': { rbps: number; wiops: 'max' } }>().toExtend<FileInputs['io.max']>()
  expectTypeOf<{ '8:0': { rbsp: number } }>().not.toExtend<FileInputs['io.max']>()
  expectTypeOf<'isolate'>().not.toExtend<FileInputs['cpuset.cpus.partition']>()
  expectTypeOf<'memory.current'>().not.toExtend<WritableFile>()
  expectTypeOf<'cgroup.kill'>().not.toExtend<ReadableFile>()
})
