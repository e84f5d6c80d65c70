-- expect: fails
error({})
