-- expect: fails
return package.loaded
