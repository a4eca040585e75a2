// SPDX-License-Identifier: Apache-2.0
// Files of v1's core and of its small controllers: cgroup-v1/cgroups.rst, devices.rst, freezer-subsystem.rst, hugetlb.rst, net_cls.rst,
// net_prio.rst.

import type { Entries } from '../controllers/entry.ts'
import { misc } from '../controllers/misc.ts'
import { pids } from '../controllers/pids.ts'
import { rdma } from '../controllers/rdma.ts'
import { legacyCpu } from './cpu-files.ts'

const flag = (initial: string, meaning: string) =>
  ({ access: 'read-write', format: 'flag', default: initial, meaning }) as const

/** Files that every v1 group has. */
const core: Entries = {
  tasks: {
    access: 'read-write',
    controller: 'cgroup',
    format: 'pids',
    accepts: 'the id of a thread, such as 4711; 0 stands for the writing thread',
    meaning: 'Threads in this group; writing the id of a thread moves only this thread into the group',
  },
  'cgroup.procs': {
    access: 'read-write',
    format: 'pids',
    accepts: 'the id of a process, such as 4711; 0 stands for the writing process',
    meaning: 'Processes in this group; writing the id of a process moves it into the group with all its threads',
  },
  notify_on_release: {
    ...flag('0', 'Whether release_agent is run when the group becomes empty'),
    controller: 'cgroup',
  },
  release_agent: {
    access: 'read-write',
    controller: 'cgroup',
    root: 'only',
    format: 'text',
    default: 'empty',
    accepts: 'the path of a program, such as /usr/local/sbin/on-empty',
    meaning: 'Program that the kernel runs as root, with the group’s path, when a group becomes empty',
  },
  'cgroup.clone_children': flag('0', 'Whether new child groups copy the cpuset of this group'),
  'cgroup.sane_behavior': {
    access: 'read',
    root: 'only',
    format: 'flag',
    meaning: 'Always 0 on v1',
  },
  'cgroup.event_control': {
    access: 'write',
    format: 'text',
    accepts: 'two open descriptors and an argument, such as 5 6 52428800',
    meaning: 'Registers an eventfd for events of memory.oom_control, memory.usage_in_bytes or memory.pressure_level',
  },
}

const freezer: Entries = {
  'freezer.state': {
    access: 'read-write',
    root: 'never',
    format: 'choice',
    choices: ['FROZEN', 'THAWED'],
    default: 'THAWED',
    meaning: 'Freezes or thaws the group and its descendants; FREEZING until all tasks have stopped',
  },
  'freezer.self_freezing': {
    access: 'read',
    root: 'never',
    format: 'flag',
    meaning: 'Whether this group itself was frozen',
  },
  'freezer.parent_freezing': {
    access: 'read',
    root: 'never',
    format: 'flag',
    meaning: 'Whether an ancestor of this group was frozen',
  },
}

const deviceAccepts =
  'a type, a device and rights, such as c 1:3 rwm (a for all, b block, c character; read, write, mknod)'

const devices: Entries = {
  'devices.allow': { access: 'write', format: 'text', accepts: deviceAccepts, meaning: 'Allows tasks a device' },
  'devices.deny': {
    access: 'write',
    format: 'text',
    accepts: deviceAccepts,
    meaning: 'Denies tasks a device',
  },
  'devices.list': { access: 'read', format: 'lines', default: 'a *:* rwm', meaning: 'Devices that tasks may use' },
}

const network: Entries = {
  'net_cls.classid': {
    access: 'read-write',
    format: 'count',
    unit: '',
    default: '0',
    accepts: 'a class as a number, 0xAAAABBBB for AAAA:BBBB, such as 1048577',
    meaning: 'Traffic class (tc) of this group’s packets',
  },
  'net_prio.prioidx': {
    access: 'read',
    format: 'count',
    unit: '',
    meaning: 'The number by which the kernel identifies this group',
  },
  'net_prio.ifpriomap': {
    access: 'read-write',
    format: 'flat-keyed',
    unit: '',
    accepts: 'an interface and a priority, such as eth0 5',
    meaning: 'Priority of this group’s traffic, by interface',
    lines: 'interface',
  },
}

const sizes = (infix: string, what: string): Entries => ({
  [`hugetlb.<size>.${infix}limit_in_bytes`]: {
    access: 'read-write',
    root: 'never',
    format: 'bytes-or-max',
    noLimit: '-1',
    default: 'no limit',
    meaning: `Huge pages of this size that may be ${what}`,
  },
  [`hugetlb.<size>.${infix}usage_in_bytes`]: {
    access: 'read',
    root: 'never',
    format: 'bytes',
    meaning: `Huge pages of this size that are ${what}`,
  },
  [`hugetlb.<size>.${infix}max_usage_in_bytes`]: {
    access: 'read-write',
    root: 'never',
    format: 'bytes',
    accepts: '0, which resets the peak',
    meaning: `Peak number of huge pages of this size that were ${what}`,
  },
  [`hugetlb.<size>.${infix}failcnt`]: {
    access: 'read-write',
    root: 'never',
    format: 'count',
    accepts: '0, which resets the counter',
    meaning: `How often huge pages of this size could not be ${what} because of the limit`,
  },
})

const hugetlb: Entries = {
  ...sizes('', 'used'),
  ...sizes('rsvd.', 'reserved'),
  'hugetlb.<size>.numa_stat': {
    access: 'read',
    root: 'never',
    format: 'numa',
    since: '5.17',
    meaning: 'Huge pages of this size in use, split by NUMA node',
    keys: {
      total: ['bytes', 'Amount on all NUMA nodes'],
      hierarchical_total: ['bytes', 'Amount on all NUMA nodes, of the group and its descendants'],
      'N<node>': ['bytes', 'Amount on this NUMA node'],
    },
  },
}

/** Files of the v1 controllers described here. pids, rdma and misc have the same files as on v2. */
export const legacy: Entries = {
  ...core,
  ...legacyCpu,
  ...freezer,
  ...devices,
  ...network,
  ...hugetlb,
  ...pids,
  ...rdma,
  ...misc,
}
