-- expect: malformed
return [==========[ x
