// SPDX-License-Identifier: Apache-2.0
// The properties of `linux.resources` in config.json, which are also those of the file that `update` reads. Pure.
import { flag, int64, list, mapOf, object, string, uint32, uint64, type ValueOf, whole, word } from './shape.ts'

/** A part of a device number; -1 stands for all. */
const deviceNumber = whole(-1, 2 ** 32 - 1)
const device = { major: whole(0, 2 ** 32 - 1), minor: whole(0, 2 ** 32 - 1) }
const weight = whole(0, 0xffff)
const rates = list(object({ ...device, rate: uint64 }, {}))

export const resourcesShape = object(
  {},
  {
    devices: list(
      object(
        { allow: flag },
        {
          type: word(['a', 'c', 'b']),
          major: deviceNumber,
          minor: deviceNumber,
          access: string(/^[rwm]*$/, 'a combination of r, w and m'),
        },
      ),
    ),
    memory: object(
      {},
      {
        limit: int64,
        reservation: int64,
        swap: int64,
        kernel: int64,
        kernelTCP: int64,
        swappiness: uint64,
        disableOOMKiller: flag,
        useHierarchy: flag,
        checkBeforeUpdate: flag,
      },
    ),
    cpu: object(
      {},
      {
        shares: uint64,
        quota: int64,
        burst: uint64,
        period: uint64,
        realtimeRuntime: int64,
        realtimePeriod: uint64,
        cpus: string(),
        mems: string(),
        idle: int64,
      },
    ),
    pids: object({}, { limit: int64 }),
    blockIO: object(
      {},
      {
        weight,
        leafWeight: weight,
        weightDevice: list(object(device, { weight, leafWeight: weight })),
        throttleReadBpsDevice: rates,
        throttleWriteBpsDevice: rates,
        throttleReadIOPSDevice: rates,
        throttleWriteIOPSDevice: rates,
      },
    ),
    hugepageLimits: list(
      object({ pageSize: string(/^[1-9]\d*[KMG]B$/, 'the size of a page such as 2MB'), limit: uint64 }, {}),
    ),
    network: object({}, { classID: uint32, priorities: list(object({ name: string(), priority: uint32 }, {})) }),
    rdma: mapOf(object({}, { hcaHandles: uint32, hcaObjects: uint32 })),
    unified: mapOf(string()),
  },
)

/** The limits of a container's control groups, as its creator requests them. */
export type OciResources = ValueOf<typeof resourcesShape>
