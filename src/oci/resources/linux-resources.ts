// SPDX-License-Identifier: Apache-2.0
// Defines LinuxResources: `linux.resources` of config.json in runtime-spec 1.3, and the input of `update`. Types only.

/** A whole number; a bigint if it can need more than 53 bits. */
export type Integer = number | bigint

/** A rule for devices. Rules apply in their order. An absent type, major or minor number stands for all. */
export interface DeviceResource {
  allow: boolean
  type?: string
  major?: Integer
  minor?: Integer
  access?: string
}

/** Limits of memory in bytes: -1 for no limit. */
export interface MemoryResources {
  limit?: Integer
  reservation?: Integer
  /** Memory and swap together. */
  swap?: Integer
  kernel?: Integer
  kernelTCP?: Integer
  swappiness?: Integer
  disableOOMKiller?: boolean
  useHierarchy?: boolean
  checkBeforeUpdate?: boolean
}

/** CPU time, its limits in microseconds, and the CPUs to use. */
export interface CpuResources {
  shares?: Integer
  quota?: Integer
  burst?: Integer
  period?: Integer
  realtimeRuntime?: Integer
  realtimePeriod?: Integer
  cpus?: string
  mems?: string
  idle?: Integer
}

interface BlockDevice {
  major: Integer
  minor: Integer
}

/** A device with weights of its own. */
interface WeightDevice extends BlockDevice {
  weight?: Integer
  leafWeight?: Integer
}

/** A device with a limit of bytes or operations per second. */
interface ThrottleDevice extends BlockDevice {
  rate: Integer
}

/** Weights and limits of block devices. */
export interface BlockResources {
  weight?: Integer
  leafWeight?: Integer
  weightDevice?: readonly WeightDevice[]
  throttleReadBpsDevice?: readonly ThrottleDevice[]
  throttleWriteBpsDevice?: readonly ThrottleDevice[]
  throttleReadIOPSDevice?: readonly ThrottleDevice[]
  throttleWriteIOPSDevice?: readonly ThrottleDevice[]
}

/** A limit of huge pages in bytes, for pages of one size such as `2MB`. */
interface HugepageLimit {
  pageSize: string
  limit: Integer
}

interface NetworkResources {
  classID?: Integer
  priorities?: readonly { name: string; priority: Integer }[]
}

interface RdmaResources {
  hcaHandles?: Integer
  hcaObjects?: Integer
}

/** The limits of a container. An absent property is not limited at create, and not changed by update. */
export interface LinuxResources {
  devices?: readonly DeviceResource[]
  memory?: MemoryResources
  cpu?: CpuResources
  /** Maximum number of tasks: -1 for no limit. */
  pids?: { limit?: Integer }
  blockIO?: BlockResources
  hugepageLimits?: readonly HugepageLimit[]
  network?: NetworkResources
  /** Limits by the name of the RDMA device. */
  rdma?: { readonly [device: string]: RdmaResources }
  /** Values of any files of the v2 tree, by file name. */
  unified?: { readonly [file: string]: string }
}
