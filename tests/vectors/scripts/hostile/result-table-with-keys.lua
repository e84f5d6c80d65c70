-- expect: fails
return {a = 1}
