// SPDX-License-Identifier: Apache-2.0
// Lists the kinds of objects that hutch reads, with their fields: API reference apps/v1, batch/v1, node.k8s.io/v1, scheduling.k8s.io/v1.
// Pure.
import { acceptWords, type FieldType, metadata, type ObjectType, selector } from './field-types.ts'
import { podSpec } from './pod-fields.ts'
import { claimTemplate } from './volume-fields.ts'

const rolling = { maxSurge: 'percent', maxUnavailable: 'percent' } as const satisfies FieldType

const template = { metadata, 'spec!': podSpec } as const satisfies FieldType

const jobSpec = {
  'template!': template,
  parallelism: 'count',
  completions: 'count',
  completionMode: acceptWords('NonIndexed', 'Indexed'),
  backoffLimit: 'count',
  backoffLimitPerIndex: 'count',
  maxFailedIndexes: 'count',
  activeDeadlineSeconds: 'count',
  ttlSecondsAfterFinished: 'count',
  suspend: 'boolean',
  selector,
  manualSelector: 'boolean',
  podFailurePolicy: 'any',
  podReplacementPolicy: acceptWords('TerminatingOrFailed', 'Failed'),
  successPolicy: 'any',
  managedBy: 'string',
} as const satisfies FieldType

const replicated = {
  replicas: 'count',
  'selector!': selector,
  'template!': template,
  minReadySeconds: 'count',
} as const satisfies FieldType

/** What a kind of object is: its API version, its fields, and where its pods are described. */
export interface ManifestKind {
  apiVersion: string
  /** Fields of the object beside apiVersion, kind and metadata. */
  fields: ObjectType
  /** Path of the PodSpec. Absent for a kind without pods. */
  pod?: readonly string[]
  /** Path of the number of pods. */
  count?: readonly string[]
  /** Restart policies of the pods that the kind accepts. */
  restart?: readonly string[]
  /** Longest name; 253 by default. */
  maxName?: number
}

const apps = { apiVersion: 'apps/v1', pod: ['spec', 'template', 'spec'], restart: ['Always'] } as const

export const manifestKinds: { readonly [kind: string]: ManifestKind } = {
  Pod: { apiVersion: 'v1', fields: { 'spec!': podSpec, status: 'any' }, pod: ['spec'] },
  Deployment: {
    ...apps,
    count: ['spec', 'replicas'],
    fields: {
      'spec!': {
        ...replicated,
        strategy: { type: acceptWords('RollingUpdate', 'Recreate'), rollingUpdate: rolling },
        revisionHistoryLimit: 'count',
        paused: 'boolean',
        progressDeadlineSeconds: 'count',
      },
      status: 'any',
    },
  },
  ReplicaSet: { ...apps, count: ['spec', 'replicas'], fields: { 'spec!': replicated, status: 'any' } },
  StatefulSet: {
    ...apps,
    count: ['spec', 'replicas'],
    fields: {
      'spec!': {
        ...replicated,
        serviceName: 'string',
        volumeClaimTemplates: [claimTemplate],
        podManagementPolicy: acceptWords('OrderedReady', 'Parallel'),
        updateStrategy: {
          type: acceptWords('RollingUpdate', 'OnDelete'),
          rollingUpdate: { partition: 'count', maxUnavailable: 'percent' },
        },
        revisionHistoryLimit: 'count',
        persistentVolumeClaimRetentionPolicy: 'any',
        ordinals: 'any',
      },
      status: 'any',
    },
  },
  DaemonSet: {
    ...apps,
    fields: {
      'spec!': {
        'selector!': selector,
        'template!': template,
        minReadySeconds: 'count',
        updateStrategy: { type: acceptWords('RollingUpdate', 'OnDelete'), rollingUpdate: rolling },
        revisionHistoryLimit: 'count',
      },
      status: 'any',
    },
  },
  Job: {
    apiVersion: 'batch/v1',
    fields: { 'spec!': jobSpec, status: 'any' },
    pod: ['spec', 'template', 'spec'],
    count: ['spec', 'parallelism'],
    restart: ['OnFailure', 'Never'],
    maxName: 63,
  },
  CronJob: {
    apiVersion: 'batch/v1',
    fields: {
      'spec!': {
        'schedule!': 'string',
        'jobTemplate!': { metadata, 'spec!': jobSpec },
        timeZone: 'string',
        concurrencyPolicy: acceptWords('Allow', 'Forbid', 'Replace'),
        startingDeadlineSeconds: 'count',
        suspend: 'boolean',
        successfulJobsHistoryLimit: 'count',
        failedJobsHistoryLimit: 'count',
      },
      status: 'any',
    },
    pod: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
    count: ['spec', 'jobTemplate', 'spec', 'parallelism'],
    restart: ['OnFailure', 'Never'],
    maxName: 52,
  },
  RuntimeClass: {
    apiVersion: 'node.k8s.io/v1',
    fields: { 'handler!': 'string', overhead: { podFixed: { map: 'quantity' } }, scheduling: 'any' },
  },
  PriorityClass: {
    apiVersion: 'scheduling.k8s.io/v1',
    fields: {
      'value!': 'integer',
      globalDefault: 'boolean',
      description: 'string',
      preemptionPolicy: acceptWords('Never', 'PreemptLowerPriority'),
    },
  },
}

/** The fields that each object has. */
export const objectFields = { 'apiVersion!': 'string', 'kind!': 'string', 'metadata!': metadata } as const
