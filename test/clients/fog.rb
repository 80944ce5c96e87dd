# Each step through fog is one test; one JSON object a line says how it went.
require 'json'
require 'time'
require 'fog/aliyun'

BUCKET = "fog-#{Time.now.to_i}"
STORAGE = Fog::Storage.new(
  provider: 'aliyun', aliyun_accesskey_id: ENV['KEY_ID'], aliyun_accesskey_secret: ENV['KEY_SECRET'],
  aliyun_oss_bucket: BUCKET, aliyun_region_id: ENV['REGION']
)

def same(actual, wanted)
  raise "#{actual.inspect} is not #{wanted.inspect}" unless actual == wanted
end

TESTS = {
  'makes a bucket' => -> { STORAGE.put_bucket(BUCKET) },
  'lists buckets' => -> { same(STORAGE.list_buckets['Bucket'].any? { |one| one['Name'].first == BUCKET }, true) },
  'puts and gets an object' => lambda {
    STORAGE.put_object_with_body('a.txt', 'hello')
    same(STORAGE.get_object('a.txt')[:body], 'hello')
  },
  'reads a range' => -> { same(STORAGE.get_object('a.txt', '1-3')[:body], 'ell') },
  'looks at an object' => -> { same(STORAGE.head_object('a.txt')[:headers]['Content-Length'], '5') },
  'lists objects' => -> { same(STORAGE.list_objects['Contents'].map { |one| one['Key'].first }, ['a.txt']) },
  'copies an object' => lambda {
    STORAGE.copy_object(nil, 'a.txt', nil, 'b.txt')
    same(STORAGE.get_object('b.txt')[:body], 'hello')
  },
  'signs a URL' => lambda {
    url = STORAGE.get_object_http_url_public('a.txt', Time.now.to_i + 60)
    same(Excon.get(url).body, 'hello')
  },
  'removes what it made' => lambda {
    %w[a.txt b.txt].each { |key| STORAGE.delete_object(key) }
    STORAGE.delete_bucket(BUCKET)
  }
}.freeze

TESTS.each do |name, test|
  test.call
  puts({ name: name }.to_json)
rescue StandardError => e
  puts({ name: name, error: "#{e.class}: #{e.message[0, 1000]}" }.to_json)
end
