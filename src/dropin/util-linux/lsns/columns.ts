// SPDX-License-Identifier: Apache-2.0
// The columns of lsns, and the value of each for a namespace or for a process in it.
import type { Namespace, NamespaceProcess } from '../../../host/namespaces.ts'
import type { Cell, Column } from './table.ts'

/** What a line of lsns is about: a namespace with its first process, or a process in a namespace. */
export interface Subject {
  namespace: Namespace
  process: NamespaceProcess | undefined
}

/** Values of columns that need a separate read. */
export interface SubjectReader {
  command(process: NamespaceProcess): string
  user(uid: number): string
  path(process: NamespaceProcess, file: string): string
}

/** A column of lsns with its name, its help text and the function that returns its value. */
export interface LsnsColumn extends Omit<Column, 'tree'> {
  help: string
  cell(subject: Subject, looks: SubjectReader): Cell
}

const uidOf = ({ namespace, process }: Subject) => process?.uid ?? namespace.uid

/** Columns in the order of --output-all. */
export const columns: readonly LsnsColumn[] = [
  {
    name: 'NS',
    hint: 10,
    right: true,
    number: true,
    help: 'namespace identifier (inode number)',
    cell: ({ namespace }) => String(namespace.id),
  },
  { name: 'TYPE', hint: 5, help: 'kind of namespace', cell: ({ namespace }) => namespace.file },
  {
    name: 'PATH',
    hint: 0,
    help: 'path to the namespace',
    cell: ({ namespace, process }, looks) => process && looks.path(process, namespace.file),
  },
  {
    name: 'NPROCS',
    hint: 5,
    right: true,
    number: true,
    help: 'number of processes in the namespace',
    cell: ({ namespace }) => String(namespace.processes.length),
  },
  {
    name: 'PID',
    hint: 5,
    right: true,
    number: true,
    help: 'lowest PID in the namespace',
    cell: ({ process }) => process && String(process.pid),
  },
  {
    name: 'PPID',
    hint: 5,
    right: true,
    number: true,
    help: 'PPID of the PID',
    cell: ({ process }) => process && String(process.ppid),
  },
  {
    name: 'COMMAND',
    hint: 0,
    cuts: true,
    help: 'command line of the PID',
    cell: ({ process }, looks) => process && looks.command(process),
  },
  {
    name: 'UID',
    hint: 0,
    right: true,
    number: true,
    help: 'UID of the PID',
    cell: (subject) => String(uidOf(subject)),
  },
  { name: 'USER', hint: 0, help: 'username of the PID', cell: (subject, looks) => looks.user(uidOf(subject)) },
  {
    name: 'NETNSID',
    hint: 0,
    right: true,
    help: 'namespace ID as used by network subsystem',
    cell: ({ namespace: { networkId } }) =>
      networkId >= 0 ? String(networkId) : networkId === -1 ? 'unassigned' : undefined,
  },
  {
    name: 'NSFS',
    hint: 0,
    help: 'nsfs mountpoint (usually used network subsystem)',
    cell: ({ namespace }) => namespace.mounts,
  },
  {
    name: 'PNS',
    hint: 10,
    right: true,
    number: true,
    help: 'parent namespace identifier (inode number)',
    cell: ({ namespace }) => String(namespace.parent),
  },
  {
    name: 'ONS',
    hint: 10,
    right: true,
    number: true,
    help: 'owner namespace identifier (inode number)',
    cell: ({ namespace }) => String(namespace.owner),
  },
]

/** Returns the column of a name, in upper or lower case; undefined if none matches. */
export function findColumn(name: string): LsnsColumn | undefined {
  return columns.find((column) => column.name === name.toUpperCase())
}

/** Returns the columns that are shown by default. */
export function defaultColumns(listsProcesses: boolean, files: readonly string[] | undefined): LsnsColumn[] {
  const names = listsProcesses
    ? ['PID', 'PPID', 'USER', 'COMMAND']
    : ['NS', 'TYPE', 'NPROCS', 'PID', 'USER', ...(files?.includes('net') ? ['NETNSID', 'NSFS'] : []), 'COMMAND']
  return names.map((name) => findColumn(name)!)
}
