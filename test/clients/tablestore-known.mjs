/** Why tests and samples of the tablestore package cannot pass here, by their names. */
const NO_SEARCH = 'search indexes are not here'
const NO_SQL = 'SQL is not here'

const SEARCH = [
  'Search Meta > create_and_describe_with_ttl_and_reindex_and_update_ttl',
  'Search Query > agg_and_group_by',
  'Search Query > group_by_date_histogram',
  'Search Query > group_by_geo_grid',
  'Search Query > functions_score_query',
  'Search Query > knn_vector_query',
  'Search Query > highlight_query',
  'Search Query > field_sort_missing_field_query',
  'Search Query > group_by_composite',
  'Search Query > collapse test',
  'Search Query > weight',
  'ParallelScan > compute_splits',
  'ParallelScan > parallel_scan',
]
const OLD_SEARCH = [
  '#Prove SearchIndex Exist: > ListIndex hould exist',
  '#Prove SearchIndex Exist: > DescribeIndex success',
  'wait data sync > wait data',
  '#Delete Index > should delete index success',
]
const BY_INDEX = [
  'MATCH_QUERY should success',
  'MATCH_PHRASE_QUERY should success',
  'TERM_QUERY should success',
  'RANGE_QUERY should success',
  'PREFIX_QUERY should success',
  'BOOL_QUERY should success',
  'CONST_SCORE_QUERY should success',
  'FUNCTION_SCORE_QUERY should success',
  'NESTED_QUERY should success',
  'WILDCARD_QUERY should success',
  'MATCH_ALL_QUERY should success',
  'GEO_BOUNDING_BOX_QUERY should success',
  'GEO_DISTANCE_QUERY should success',
  'GEO_POLYGON_QUERY should success',
  'TERMS_QUERY should success',
  'EXISTS_QUERY should success',
  'SORT DESC should success',
  'SORT ASC should success',
  'ColumnToGet NONE should success',
  'ColumnToGet SPECIFIED should success',
  'ColumnToGet ALL should success',
]
const SQL = [
  'sql > 3) sql:drop table',
  'sql > 4) sql:create table',
  'sql > 5) sql:show tables',
  'sql > 6) sql:describe test_table',
  'sql > 7) sql: sql',
]
const SEARCH_SAMPLES = [
  'samples/createSearchIndex.js',
  'samples/describeSearchIndex.js',
  'samples/search.js',
  'samples/computeSplits.js',
  'samples/deleteSearchIndex.js',
  'samples-async(node6)/token.js',
  'samples-async(node6)/searchPaginateByToken.js',
]

/** @param {string} file @param {readonly string[]} names @param {string} reason */
const because = (file, names, reason) => Object.fromEntries(names.map((name) => [`${file}${name}`, reason]))

/** @type {Readonly<Record<string, string>>} */
export const TABLESTORE_KNOWN = {
  ...because('test/search.test.js: ', SEARCH, NO_SEARCH),
  ...because('test/search_old.test.js: ', OLD_SEARCH, NO_SEARCH),
  ...because('test/search_old.test.js: #Search By Index > ', BY_INDEX, NO_SEARCH),
  ...because('test/sql.test.js: ', SQL, NO_SQL),
  ...because('', SEARCH_SAMPLES, NO_SEARCH),
  'samples/sql.js': NO_SQL,
  'samples/stsTokenClient.js': 'it uses TableStore and does not load it',
  'samples/updateSearchIndex.js': 'it uses tableName and does not set it',
  'samples/parallelScan.js': 'it mixes require and import, which Node refuses',
  'samples/searchPaginateByToken.js': 'it does not look at the error: search indexes are not here',
}
