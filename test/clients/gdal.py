"""Each step through GDAL's /vsioss/ is one test; one JSON object a line says how it went."""
import json
import os
import subprocess
import time
import urllib.request

from osgeo import gdal

BUCKET = '/vsioss/gdal-%d' % time.time()
BIG = os.urandom(3 * 1024 * 1024 + 7)


def write(name, content):
    file = gdal.VSIFOpenL(BUCKET + name, 'wb')
    assert file is not None, gdal.GetLastErrorMsg()
    assert gdal.VSIFWriteL(content, 1, len(content), file) == len(content), gdal.GetLastErrorMsg()
    assert gdal.VSIFCloseL(file) == 0, gdal.GetLastErrorMsg()


def read(name, start=0, length=None):
    file = gdal.VSIFOpenL(BUCKET + name, 'rb')
    assert file is not None, gdal.GetLastErrorMsg()
    gdal.VSIFSeekL(file, start, 0)
    content = bytes(gdal.VSIFReadL(1, length or 1 << 24, file) or b'')
    gdal.VSIFCloseL(file)
    return content


def same(actual, wanted):
    assert actual == wanted, '%r is not %r (%s)' % (actual, wanted, gdal.GetLastErrorMsg())


def makes_a_bucket():
    same(gdal.Mkdir(BUCKET, 0o755), 0)


def puts_and_gets_a_file():
    for name in ['/a/plain.txt', '/a/with space & plus+.txt', '/a/\u4e2d\u6587.txt']:
        write(name, name.encode())
        gdal.VSICurlClearCache()
        same(read(name), name.encode())


def uploads_in_parts():
    write('/big.bin', BIG)
    gdal.VSICurlClearCache()
    same(gdal.VSIStatL(BUCKET + '/big.bin').size, len(BIG))
    same(read('/big.bin'), BIG)


def reads_a_range():
    gdal.VSICurlClearCache()
    same(read('/big.bin', 2_000_000, 100), BIG[2_000_000:2_000_100])


def lists_a_folder():
    gdal.VSICurlClearCache()
    same(sorted(gdal.ReadDir(BUCKET)), ['a', 'big.bin'])
    same(len(gdal.ReadDir(BUCKET + '/a')), 3)
    same(len(gdal.ReadDirRecursive(BUCKET)), 4)


def signs_a_url():
    with urllib.request.urlopen(gdal.GetSignedURL(BUCKET + '/big.bin')) as answer:
        same(answer.read(), BIG)


def renames_a_file():
    same(gdal.Rename(BUCKET + '/big.bin', BUCKET + '/moved.bin'), 0)
    gdal.VSICurlClearCache()
    same(gdal.VSIStatL(BUCKET + '/big.bin'), None)
    same(read('/moved.bin'), BIG)


def copies_folders_both_ways():
    for folder in ['from/deep', 'back']:
        os.makedirs(folder)
    for name in ['from/1.txt', 'from/deep/2.txt']:
        with open(name, 'w') as file:
            file.write(name)
    assert gdal.Sync('from/', BUCKET + '/to'), gdal.GetLastErrorMsg()
    gdal.VSICurlClearCache()
    assert gdal.Sync(BUCKET + '/to/', 'back'), gdal.GetLastErrorMsg()
    with open('back/deep/2.txt') as file:
        same(file.read(), 'from/deep/2.txt')


def translates_a_raster():
    run('gdal_create', '-q', '-of', 'GTiff', '-outsize', '256', '256', '-burn', '7', 'seven.tif')
    run('gdal_translate', '-q', 'seven.tif', BUCKET + '/seven.tif', '-co', 'STREAMABLE_OUTPUT=YES')
    same('Band 1' in run('gdalinfo', '-stats', BUCKET + '/seven.tif'), True)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def aborts_unfinished_uploads():
    assert gdal.AbortPendingUploads(BUCKET), gdal.GetLastErrorMsg()


def removes_many_files_at_once():
    gdal.VSICurlClearCache()
    names = [BUCKET + '/' + name for name in gdal.ReadDirRecursive(BUCKET) if not name.endswith('/')]
    assert gdal.UnlinkBatch(names), gdal.GetLastErrorMsg()
    gdal.VSICurlClearCache()
    left = [name for name in gdal.ReadDirRecursive(BUCKET) or [] if not name.endswith('/')]
    same(left, [])


gdal.DontUseExceptions()
gdal.PushErrorHandler('CPLQuietErrorHandler')
for test in [
    makes_a_bucket,
    puts_and_gets_a_file,
    uploads_in_parts,
    reads_a_range,
    lists_a_folder,
    signs_a_url,
    renames_a_file,
    copies_folders_both_ways,
    translates_a_raster,
    aborts_unfinished_uploads,
    removes_many_files_at_once,
]:
    result = {'name': test.__name__.replace('_', ' ')}
    try:
        test()
    except Exception as error:
        result['error'] = '%s: %s' % (type(error).__name__, str(error)[:1000])
    print(json.dumps(result), flush=True)
