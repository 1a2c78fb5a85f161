;;; published.el --- The package as it is published  -*- lexical-binding: t; no-byte-compile: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Code:

(require 'bytecomp)
(require 'checkdoc)
(require 'home)

(defun published-files ()
  "The files of the package."
  (directory-files home-package t "\\`open-think.*\\.el\\'"))

(ert-deftest its-files-compile-without-a-warning ()
  (let ((folder (make-temp-file "open-think-" t))
        (warnings nil))
    (unwind-protect
        (let ((byte-compile-dest-file-function
               (lambda (file) (expand-file-name (concat (file-name-nondirectory file) "c") folder)))
              (byte-compile-log-warning-function
               (lambda (text &rest _) (push text warnings))))
          (dolist (file (published-files))
            (should (byte-compile-file file))))
      (delete-directory folder t))
    (should-not warnings)))

(ert-deftest its-documentation-passes-checkdoc ()
  (let* ((faults nil)
         (checkdoc-create-error-function
          (lambda (text &rest _) (push (list (buffer-name) text) faults) nil)))
    (dolist (file (published-files))
      (with-current-buffer (find-file-noselect file)
        (checkdoc-current-buffer t)))
    (should-not faults)))

(ert-deftest its-commands-are-autoloaded ()
  (with-temp-buffer
    (insert-file-contents (expand-file-name "open-think.el" home-package))
    (should (= 11 (how-many "^;;;###autoload" (point-min) (point-max))))))

(ert-deftest its-first-lines-work-in-this-emacs ()
  (let ((file (make-temp-file "open-think-" nil ".el"))
        (beginning (with-temp-buffer
                     (insert-file-contents (expand-file-name "README.md" home-package))
                     (search-forward "```elisp\n")
                     (buffer-substring (point) (progn (search-forward "\n```") (match-beginning 0))))))
    (unwind-protect
        (with-temp-buffer
          (write-region (concat (string-replace "path/to/open-think/clients/emacs" home-package beginning)
                                "\n(princ (key-binding (kbd \"C-c h a\")))")
                        nil file nil 'silent)
          (call-process (expand-file-name invocation-name invocation-directory) nil t nil "-Q" "--batch" "-l" file)
          (should (equal "open-think-ask" (buffer-string))))
      (delete-file file))))

(ert-deftest its-size-is-printed ()
  (let ((files (cons (expand-file-name "README.md" home-package) (published-files))))
    (message "%d bytes in %d files"
             (apply #'+ (mapcar (lambda (file) (file-attribute-size (file-attributes file))) files))
             (length files))))

(provide 'published)
;;; published.el ends here
